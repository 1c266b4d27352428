#include "follow/rotated_search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/file_generation.h"
#include "follow/neighbours.h"
#include "follow/rotated_holder.h"

enum { TRIES = 4 };

int
rotated_search_init(struct rotated_search *s, struct source *source, const struct passed *passed,
                    const struct cursor_mark *mark, int runs_dir_fd, const char *directory, const char *name)
{
	struct passed copy;

	if (passed_copy(passed, &copy) < 0)
		return -ENOMEM;
	*s = (struct rotated_search){
		.runs_dir_fd = runs_dir_fd,
		.directory = directory,
		.name = name,
		.mark = *mark,
		.passed = copy,
		.ends = { generation_ref(source->current), generation_ref(source_latest(source)) },
	};
	for (int i = 0; i < 2; i++)
		s->ends_known[i] = (struct cursor_mark){ .offset = s->ends[i]->known_to,
			                                 .fingerprint = s->ends[i]->known_fingerprint };
	return 0;
}

bool
rotated_search_is_for_oldest(const struct rotated_search *s)
{
	return s->mark.identity == 0 && s->mark.offset == 0;
}

void
rotated_search_forget_parts(struct rotated_search *s)
{
	while (s->count > 0)
		fd_close(&s->parts[--s->count].fd);
}

void
rotated_search_fini(struct rotated_search *s)
{
	rotated_search_forget_parts(s);
	generation_unref(&s->ends[0]);
	generation_unref(&s->ends[1]);
	passed_fini(&s->passed);
}

bool
rotated_search_is_current(const struct rotated_search *s, const struct stat *stat)
{
	const struct file_generation *current = file_generation_of(s->current);

	return current->fd >= 0 && stat->st_dev == current->device && stat->st_ino == current->inode;
}

/* Whether the first part is where it is because of the mark, and not the oldest that was found. */
static bool
holds_mark(const struct rotated_search *s)
{
	return s->mark.offset > 0 || s->parts[0].identity == s->mark.identity;
}

/* Whether what was opened is but a copy of a part, or of what the current file begins with. A part that
 * is but the beginning of this one goes. */
static enum neighbour_likeness
likeness(struct rotated_search *s, int fd, const struct stat *stat, bool *ret_is_longer)
{
	enum neighbour_likeness likeness = NEIGHBOUR_OTHER;
	uint64_t bytes = (uint64_t)stat->st_size;
	int current_fd = file_generation_of(s->current)->fd;
	size_t i;

	for (i = 0; i < s->count && likeness == NEIGHBOUR_OTHER; i++)
		likeness = neighbour_compare(fd, bytes, s->parts[i].fd, (uint64_t)s->parts[i].stat.st_size);
	if (likeness == NEIGHBOUR_UNREADABLE)
		return likeness;
	if (likeness == NEIGHBOUR_OTHER)
		return current_fd >= 0 ? neighbour_compare_to_open(fd, bytes, current_fd) : likeness;
	/* Not the first, where the mark is in it. */
	i--;
	*ret_is_longer = (i > 0 || !holds_mark(s)) && stat->st_size > s->parts[i].stat.st_size;
	if (*ret_is_longer) {
		fd_close(&s->parts[i].fd);
		memmove(&s->parts[i], &s->parts[i + 1], (s->count - i - 1) * sizeof(s->parts[0]));
		s->count--;
	}
	return likeness;
}

/* Whether it is a copy of what the current file begins with. made_of_it: if it is alike, it is; but one
 * that is longer was made before the file got smaller. */
static bool
is_copy_of_current(const struct rotated_search *s, const struct rotated_part *part, bool made_of_it)
{
	int fd = file_generation_of(s->current)->fd;
	enum neighbour_likeness likeness;

	if (fd < 0 || s->current_stat.st_size == 0 ||
	    (made_of_it && part->stat.st_size > s->current_stat.st_size))
		return false;
	likeness = neighbour_compare(part->fd, (uint64_t)part->stat.st_size, fd,
	                             (uint64_t)s->current_stat.st_size);
	return likeness == NEIGHBOUR_COPY || (made_of_it && likeness == NEIGHBOUR_COPY_MAYBE);
}

/* Older than the oldest that can be read. */
static void
note_unreadable(struct rotated_search *s, const struct neighbour *at, const char *why)
{
	int64_t written_ms = (int64_t)at->stat.st_mtim.tv_sec * 1000 + at->stat.st_mtim.tv_nsec / 1000000;

	s->older_lost = why;
	if (written_ms > s->older_lost_ms)
		s->older_lost_ms = written_ms;
}

/* The oldest that can be read, and is no copy of what is there. are_copies: of what was made since the mark was. */
static int
find_oldest(struct rotated_search *s, const struct neighbours *n, bool are_copies, size_t *ret_index)
{
	struct timespec since = clock_end_of_ms(s->mark.begun_ms);

	s->older_lost = NULL;
	s->older_lost_ms = 0;
	for (size_t i = 0; i < n->count; i++) {
		const struct neighbour *at = &n->list[i];
		struct rotated_part *part = &s->parts[0];
		int error;

		if (at->stat.st_size == 0 || rotated_search_is_current(s, &at->stat))
			continue;
		if (at->is_packed)
			note_unreadable(s, at, "compressed");
		if (at->is_packed || (are_copies && !neighbour_is_born_after(&at->born, &since)))
			continue;
		error = neighbours_open(n, i, &part->stat, &part->fd);
		if (error == -ESTALE || error == -EMFILE || error == -ENFILE)
			return error;
		if (error == -EACCES || error == -EPERM)
			note_unreadable(s, at, "replaced");
		if (error)
			continue;
		if (is_copy_of_current(s, part, are_copies)) {
			fd_close(&part->fd);
			continue;
		}
		part->identity = at->identity;
		part->born = at->born;
		part->lost = NULL;
		part->copy_of = 0;
		*ret_index = i;
		s->count = 1;
		return 0;
	}
	return -ENOENT;
}

/* A copy of what the current file held before: the oldest that was made since it was begun to be read. */
static int
find_first_copy(struct rotated_search *s, const struct neighbours *n, size_t *ret_index)
{
	return s->mark.begun_ms > 0 ? find_oldest(s, n, true, ret_index) : -ENOENT;
}

/* What comes between the holder and the current file. */
static int
add_part(struct rotated_search *s, const struct neighbours *n, size_t index)
{
	const char **lost = &s->parts[s->count - 1].lost;
	struct rotated_part part = { .identity = n->list[index].identity, .born = n->list[index].born };
	enum neighbour_likeness alike = NEIGHBOUR_OTHER;
	bool is_longer = false;
	int error;

	if (n->list[index].is_packed) {
		*lost = "compressed";
		return 0;
	}
	if (s->count == ROTATED_MOST_PARTS) {
		*lost = "replaced";
		return 0;
	}
	error = neighbours_open(n, index, &part.stat, &part.fd);
	if (error == -EACCES || error == -EPERM) {
		*lost = "replaced";
		return 0;
	}
	if (error)
		return error;
	if (part.stat.st_size > 0)
		alike = likeness(s, part.fd, &part.stat, &is_longer);
	if (alike == NEIGHBOUR_UNREADABLE) {
		fd_close(&part.fd);
		return -EIO;
	}
	if (alike == NEIGHBOUR_COPY_MAYBE && s->count > 0)
		s->parts[s->count - 1].lost = "replaced";
	if (alike != NEIGHBOUR_OTHER && !is_longer)
		fd_close(&part.fd);
	else
		s->parts[s->count++] = part;
	return 0;
}

/* Where the current file has left its path as well, what is later than it does not lead to it. */
static void
drop_later(const struct rotated_search *s, struct neighbours *n)
{
	int fd = file_generation_of(s->current)->fd;
	size_t at = n->count;
	struct neighbour current;

	if (fd < 0)
		return;
	for (size_t i = 0; i < n->count; i++)
		if (rotated_search_is_current(s, &n->list[i].stat))
			at = i;
	if (at == n->count) {
		struct stat at_path;
		char path[4096];
		int length = snprintf(path, sizeof(path), "%s/%s", n->directory, n->name);

		if (length >= (int)sizeof(path) ||
		    (fstatat(n->runs_dir_fd, path, &at_path, AT_SYMLINK_NOFOLLOW) == 0 &&
		     rotated_search_is_current(s, &at_path)))
			return;
		/* Deleted, or moved away: by its times. */
		neighbour_of_fd(fd, &s->current_stat, &current);
		for (size_t i = n->count; i > 0; i--)
			if (neighbour_is_before(&current, &n->list[i - 1]))
				neighbours_drop(n, i - 1);
		return;
	}
	while (n->count > at + 1)
		neighbours_drop(n, n->count - 1);
}

static void
set_copy(struct rotated_part *part, uint32_t of)
{
	if (part->stat.st_size == 0)
		return; /* nothing was in it to be missing behind it */
	part->copy_of = of;
	if (!part->lost)
		part->lost = "truncated";
}

/* Copies were made before their file was emptied: what came between the two is lost. The file itself
 * has been there since; where it is gone, the parts behind the copy need not be copies as well. */
static void
mark_copies(struct rotated_search *s)
{
	size_t file = 0;

	if (rotated_search_is_for_oldest(s))
		return;
	while (file < s->count && s->parts[file].identity != s->mark.identity)
		file++;
	if (file == s->count && s->current->identity != s->mark.identity)
		file = s->count > 0;
	for (size_t i = 0; i < file; i++)
		set_copy(&s->parts[i], s->mark.identity);
}

/* What was made later than the file that is there, and holds what is older, was made of it. (Where the file
 * system does not tell when files are made, there is but the mark that was found in what is not its file.) */
static void
find_copies(struct rotated_search *s, const struct timespec *current_born)
{
	for (size_t i = 0; i < s->count && current_born->tv_sec > 0; i++)
		if (neighbour_is_born_after(&s->parts[i].born, current_born))
			set_copy(&s->parts[i], s->current->identity);
}

/* What this process saw and cannot find any more is lost as well. */
static void
mark_passed(struct rotated_search *s)
{
	struct passed_part parts[ROTATED_MOST_PARTS];

	/* What was left behind came before what nobody has left yet. */
	if (s->ends[0]->identity == s->mark.identity && !passed_find(&s->passed, s->mark.identity))
		return;
	for (size_t i = 0; i < s->count; i++)
		parts[i] = (struct passed_part){ .fd = s->parts[i].fd, .identity = s->parts[i].identity,
			                         .lost = &s->parts[i].lost };
	passed_mark(&s->passed, s->mark.identity, parts, s->count, s->current->identity);
}

static int
search_once(struct rotated_search *s)
{
	struct neighbours n;
	struct neighbour current = { 0 };
	size_t holder = 0;
	int fd = file_generation_of(s->current)->fd;
	int error = neighbours_list(s->runs_dir_fd, s->directory, s->name, &n);

	if (error)
		return error;
	s->file_system = n.file_system;
	if (fd >= 0 && fstat(fd, &s->current_stat) < 0)
		s->current_stat.st_size = 0;
	neighbours_sort(&n);
	drop_later(s, &n);
	error = rotated_search_is_for_oldest(s) ? find_oldest(s, &n, false, &holder)
	                                        : rotated_holder_find(s, &n, &holder);
	if (error == -ENOENT && s->mark.offset == 0 && s->mark.identity == s->current->identity &&
	    s->current->identity != 0)
		error = find_first_copy(s, &n, &holder);
	for (size_t i = holder + 1; i < n.count && !error; i++)
		if (!rotated_search_is_current(s, &n.list[i].stat))
			error = add_part(s, &n, i);
	if (!error) {
		mark_copies(s);
		if (fd >= 0)
			neighbour_of_fd(fd, &s->current_stat, &current);
		find_copies(s, &current.born);
		mark_passed(s);
	} else {
		rotated_search_forget_parts(s);
	}
	/* After they were listed, and compared with it: copies of what came behind that may be among them. */
	s->is_rewritten = fd >= 0 && s->known.offset > 0 && neighbour_verify(fd, &s->known) == 0;
	neighbours_fini(&n);
	return error;
}

void
rotated_search_run(struct rotated_search *s)
{
	s->error = -ENOENT;
	for (int end = 0; end < 2 && s->error == -ENOENT; end++) {
		/* What lies behind the current one is not older than it. */
		if (end > 0 && (s->ends[1] == s->ends[0] || rotated_search_is_for_oldest(s)))
			break;
		s->current = s->ends[end];
		s->known = s->ends_known[end];
		s->error = -ESTALE;
		/* Renamed while it was listed: what has which name is asked again. */
		for (int i = 0; i < TRIES && s->error == -ESTALE; i++)
			s->error = search_once(s);
	}
}
