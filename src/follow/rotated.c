#include "follow/rotated.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "follow/file_generation.h"
#include "model/fingerprint.h"
#include "store/run_dir.h"

enum {
	MOST_NAMES = 256,    /* looked at in a directory */
	MOST_FILES = 32,     /* in a chain of rotated files */
	MOST_ANSWERS = 64,   /* remembered */
	REMEMBER_MS = 5000,
};

/* One file in the directory that may be an older part of the log. */
struct candidate {
	char *name;
	struct stat stat;
	uint32_t identity;
	bool is_found; /* the one that holds the mark */
};

struct search {
	struct offload_job job;
	struct rotated *rotated;
	struct cursor_mark mark;
	struct generation *current; /* owned reference */
	struct candidate current_file; /* of which `stat` counts, if it is not at its path any more */
	bool is_current_elsewhere;
	/* What it found: the one with the mark first, then in order of time. */
	size_t count;
	int fds[MOST_FILES];
	struct stat stats[MOST_FILES];
	enum file_system file_system;
};

struct answer {
	struct cursor_mark mark;
	struct generation *generation; /* owned reference; NULL: no such file */
	int64_t at_ms;
};

struct rotated {
	struct source *source;
	struct offload *offload;
	int runs_dir_fd;
	char *directory;  /* owned */
	const char *name; /* in path */
	bool is_searching;
	size_t answer_count;
	struct answer answers[MOST_ANSWERS];
};

struct rotated *
rotated_new(struct source *source, struct offload *offload, int runs_dir_fd, const char *path)
{
	struct rotated *r = calloc(1, sizeof(*r));
	const char *slash = strrchr(path, '/');

	must(slash);
	if (!r)
		return NULL;
	r->source = source;
	r->offload = offload;
	r->runs_dir_fd = runs_dir_fd;
	r->name = slash + 1;
	r->directory = strndup(path, (size_t)(slash - path));
	if (!r->directory) {
		free(r);
		return NULL;
	}
	return r;
}

static void
forget(struct rotated *r, size_t index)
{
	if (r->answers[index].generation)
		generation_unref(&r->answers[index].generation);
	r->answers[index] = r->answers[--r->answer_count];
}

void
rotated_free(struct rotated **rotated)
{
	if (!*rotated)
		return;
	must(!(*rotated)->is_searching);
	while ((*rotated)->answer_count > 0)
		forget(*rotated, 0);
	free((*rotated)->directory);
	free(*rotated);
	*rotated = NULL;
}

void
rotated_relax(struct rotated *r, int64_t now_ms)
{
	for (size_t i = r->answer_count; i > 0; i--)
		if (now_ms - r->answers[i - 1].at_ms > REMEMBER_MS)
			forget(r, i - 1);
}

/* --- in a helper thread --------------------------------------------------------------------------------- */

/* Rotated names begin with the file's own: log.1, log.2026-01-01, log-20260101. */
static bool
may_be_part(const struct search *s, const char *name)
{
	size_t length = strlen(s->rotated->name);

	return strncmp(name, s->rotated->name, length) == 0 && name[length] != '\0';
}

static bool
is_current(const struct search *s, const struct stat *stat)
{
	const struct file_generation *current = file_generation_of(s->current);

	return current->fd >= 0 && stat->st_dev == current->device && stat->st_ino == current->inode;
}

/* The current file may have left its path, and be read to its end before another is current. */
static void
find_current(struct search *s, int directory_fd)
{
	int fd = file_generation_of(s->current)->fd;
	struct stat at_path;

	if (fd < 0 || fstat(fd, &s->current_file.stat) < 0)
		return;
	s->is_current_elsewhere =
		fstatat(directory_fd, s->rotated->name, &at_path, AT_SYMLINK_NOFOLLOW) < 0 ||
		!is_current(s, &at_path);
}

static int
list(const struct search *s, int directory_fd, struct candidate *to, size_t *ret_count)
{
	DIR *directory = fdopendir(directory_fd);
	struct dirent *entry;
	size_t count = 0;

	if (!directory) {
		fd_close(&directory_fd);
		return -errno;
	}
	while (count < MOST_NAMES && (entry = readdir(directory)) != NULL) {
		struct candidate *c = &to[count];

		if (!may_be_part(s, entry->d_name) ||
		    fstatat(dirfd(directory), entry->d_name, &c->stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(c->stat.st_mode) || is_current(s, &c->stat))
			continue;
		c->identity = file_generation_identity_at(dirfd(directory), entry->d_name);
		c->is_found = false;
		c->name = strdup(entry->d_name);
		if (c->name)
			count++;
	}
	closedir(directory);
	*ret_count = count;
	return 0;
}

static bool
read_at(int fd, uint64_t offset, uint8_t *to, size_t length)
{
	while (length > 0) {
		ssize_t n = pread(fd, to, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return true;
}

/* Whether the bytes before the mark are the ones that it was made from. */
static bool
holds_mark(int fd, const struct cursor_mark *mark)
{
	uint8_t head[FINGERPRINT_HEAD_BYTES], window[FINGERPRINT_WINDOW_BYTES];
	uint64_t start = fingerprint_window_start(mark->offset), head_hash = 0;
	struct fingerprint_pass pass;

	if (fingerprint_needs_head(mark->offset)) {
		if (!read_at(fd, 0, head, sizeof(head)))
			return false;
		head_hash = fingerprint_head(head);
	}
	if (!read_at(fd, start, window, (size_t)(mark->offset - start)))
		return false;
	fingerprint_begin(&pass, window, start, head_hash);
	return fingerprint_at(&pass, mark->offset) == mark->fingerprint;
}

static int
open_candidate(const struct search *s, const struct candidate *c, struct stat *ret_stat, int *ret_fd)
{
	char path[4096];
	size_t directory_length = strlen(s->rotated->directory), name_length = strlen(c->name);

	if (directory_length + name_length + 2 > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, s->rotated->directory, directory_length);
	path[directory_length] = '/';
	memcpy(path + directory_length + 1, c->name, name_length + 1);
	return run_dir_open_file(s->rotated->runs_dir_fd, path, ret_stat, ret_fd);
}

static bool
is_holder(const struct search *s, const struct candidate *c)
{
	struct stat stat;
	bool holds = false;
	int fd;

	if ((uint64_t)c->stat.st_size < s->mark.offset || open_candidate(s, c, &stat, &fd) < 0)
		return false;
	/* At the very start any file fits: only its identity tells. */
	holds = s->mark.offset == 0 ? c->identity == s->mark.identity : holds_mark(fd, &s->mark);
	fd_close(&fd);
	return holds;
}

/* By identity first: a copy, too, begins with the same bytes. */
static bool
find_holder(const struct search *s, struct candidate *candidates, size_t count)
{
	for (int by_content = 0; by_content < 2; by_content++)
		for (size_t i = 0; i < count; i++)
			if ((by_content || candidates[i].identity == s->mark.identity) &&
			    is_holder(s, &candidates[i])) {
				candidates[i].is_found = true;
				return true;
			}
	return false;
}

static int
by_time(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->stat.st_mtim.tv_sec != y->stat.st_mtim.tv_sec)
		return x->stat.st_mtim.tv_sec < y->stat.st_mtim.tv_sec ? -1 : 1;
	if (x->stat.st_mtim.tv_nsec != y->stat.st_mtim.tv_nsec)
		return x->stat.st_mtim.tv_nsec < y->stat.st_mtim.tv_nsec ? -1 : 1;
	return 0;
}

/* What is newer than the current file does not lead to it. */
static size_t
drop_newer(const struct search *s, struct candidate *candidates, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (s->is_current_elsewhere && by_time(&candidates[i], &s->current_file) > 0)
			free(candidates[i].name);
		else
			candidates[kept++] = candidates[i];
	}
	return kept;
}

static void
search(struct offload_job *job)
{
	struct search *s = (struct search *)job;
	struct candidate *candidates = calloc(MOST_NAMES, sizeof(*candidates));
	size_t count = 0;
	bool found = false;
	int directory_fd;

	if (!candidates)
		return;
	if (run_dir_open_list(s->rotated->runs_dir_fd, s->rotated->directory, &directory_fd) == 0) {
		s->file_system = file_system_of(directory_fd);
		find_current(s, directory_fd);
		if (list(s, directory_fd, candidates, &count) == 0)
			count = drop_newer(s, candidates, count);
		if (find_holder(s, candidates, count))
			qsort(candidates, count, sizeof(*candidates), by_time);
	}
	for (size_t i = 0; i < count; i++) {
		found |= candidates[i].is_found;
		if (found && s->count < MOST_FILES &&
		    open_candidate(s, &candidates[i], &s->stats[s->count], &s->fds[s->count]) == 0)
			s->count++;
		free(candidates[i].name);
	}
	free(candidates);
}

/* --- back in the loop ---------------------------------------------------------------------------------------- */

static void
remember(struct rotated *r, const struct cursor_mark *mark, struct generation *generation)
{
	if (r->answer_count == MOST_ANSWERS)
		forget(r, 0);
	r->answers[r->answer_count++] = (struct answer){
		.mark = *mark,
		.generation = generation ? generation_ref(generation) : NULL,
		.at_ms = clock_now_ms(),
	};
}

/* Makes generations of what was found, the last leading to the current one. */
static void
make_chain(struct rotated *r, struct search *s)
{
	struct generation *next = generation_ref(r->source->current);

	while (s->count > 0) {
		struct file_generation *g;

		s->count--;
		if (file_generation_new(r->source, r->offload, s->fds[s->count], &s->stats[s->count],
		                        s->file_system, clock_now_ms(), &g) < 0) {
			fd_close(&s->fds[s->count]);
			continue;
		}
		g->generation.state = GENERATION_ENDED;
		g->generation.next = next; /* takes */
		next = &g->generation;
	}
	remember(r, &s->mark, next == r->source->current ? NULL : next);
	generation_unref(&next);
}

static void
searched(struct offload_job *job)
{
	struct search *s = (struct search *)job;
	struct rotated *r = s->rotated;
	struct source *source = r->source;
	const struct file_generation *current = file_generation_of(source->current);
	const struct file_generation *searched_for = file_generation_of(s->current);

	r->is_searching = false;
	if (current->device == searched_for->device && current->inode == searched_for->inode) {
		make_chain(r, s);
	} else {
		/* Rotated meanwhile: what was current is missing in what was found. It is searched again. */
		while (s->count > 0)
			fd_close(&s->fds[--s->count]);
	}
	generation_unref(&s->current);
	free(s);
	source_notify(source);
	source->ops->release(source);
}

static bool
is_same(const struct cursor_mark *a, const struct cursor_mark *b)
{
	return a->offset == b->offset && a->identity == b->identity && a->fingerprint == b->fingerprint;
}

int
rotated_find(struct rotated *r, const struct cursor_mark *mark, struct generation **ret_generation)
{
	struct search *s;

	for (size_t i = 0; i < r->answer_count; i++) {
		struct generation *g = r->answers[i].generation;

		if ((g && g->identity == mark->identity && g->size_bytes >= mark->offset) ||
		    is_same(&r->answers[i].mark, mark)) {
			*ret_generation = g;
			return g ? 0 : -ENOENT;
		}
	}
	if (r->is_searching)
		return -EAGAIN;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->rotated = r;
	s->mark = *mark;
	s->current = generation_ref(r->source->current);
	r->is_searching = true;
	r->source->ops->hold(r->source);
	offload_submit(r->offload, &s->job, search, searched);
	return -EAGAIN;
}
