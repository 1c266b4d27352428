/* Folders: which may have changed, what is new in them, what is gone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "discovery/state.h"
#include "model/run_id.h"
#include "store/run_dir.h"

enum {
	/* A folder whose watch is trusted is looked at in one look of so many, or, in a large tree,
	 * of as many as it takes for a look to have about so many of them. */
	TRUSTED_LOOKS = 8,
	TRUSTED_PER_LOOK = 1000,
	/* Folders without a run's file, beyond which more are found when their parent is listed. */
	CANDIDATES_MAX = 100000,
};

/* There is no folder of that name (any more), whatever there may be instead. */
static bool
is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* --- names -------------------------------------------------------------------------------------- */

static void
candidate_add(struct discovery *d, struct folder *folder, const char *name)
{
	size_t length = strlen(name);
	struct candidate *candidate;

	if (d->candidate_count >= CANDIDATES_MAX ||
	    !(candidate = malloc(sizeof(*candidate) + length + 1))) {
		folder->must_list = true;
		return;
	}
	candidate->folder = folder;
	candidate->wd = -1;
	candidate->round = d->round;
	memcpy(candidate->name, name, length + 1);
	HASH_ADD_KEYPTR(hh, folder->candidates, candidate->name, length, candidate);
	TAILQ_INSERT_TAIL(&d->candidates, candidate, entry);
	d->candidate_count++;
	watch_candidate(d, candidate);
	/* A file made before the watch was there tells nothing. */
	scan_candidate(d, candidate);
}

void
scan_candidate(struct discovery *d, struct candidate *candidate)
{
	struct folder *folder = candidate->folder;
	char name[REGISTRY_NAME_BYTES + 1];
	int is_run = runs_probe(d, folder, candidate->name);

	if (is_run <= 0 && !is_gone(is_run))
		return;
	strcpy(name, candidate->name);
	/* First, since a run's watch is another one on the same folder. */
	candidate_free(d, candidate);
	if (is_run > 0 && runs_add(d, folder, name) != 0)
		folder->must_list = true;
}

/* A folder beneath the root or a runs folder that is not known yet. */
static void
see_new(struct discovery *d, struct folder *folder, const char *name)
{
	int is_run = runs_probe(d, folder, name);
	struct folder *child;

	if (is_gone(is_run))
		return;
	if (is_run > 0) {
		if (runs_add(d, folder, name) != 0)
			folder->must_list = true;
	} else if (folder->kind == FOLDER_TASK) {
		/* Also one that cannot be read, for now: it has its turn again. */
		candidate_add(d, folder, name);
	} else {
		child = folder_new(d, folder, FOLDER_TOP, name);
		if (child)
			child->round = d->round;
	}
}

/* A folder of that name is there. */
static void
see(struct discovery *d, struct folder *folder, const char *name)
{
	struct folder *child = folder_child(folder, name);
	struct candidate *candidate;
	uint32_t slot;

	if (!child && folder->kind == FOLDER_TOP)
		child = folder_new(d, folder, FOLDER_TASK, name);
	if (child)
		child->round = d->round;
	if (folder->kind == FOLDER_TOP)
		return;
	if (runs_lies_in(d, folder, name, &slot)) { /* in the root it may be both */
		d->runs[slot].round = d->round;
	} else if (child) {
		return;
	} else if ((candidate = folder_candidate(folder, name)) != NULL) {
		candidate->round = d->round;
	} else {
		see_new(d, folder, name);
	}
}

/* A folder that was taken for a project's has got a run's file. */
static void
top_becomes_run(struct discovery *d, struct folder *top)
{
	struct folder *root = top->parent;
	char name[REGISTRY_NAME_BYTES + 1];

	if (top->children) {
		if (runs_add(d, root, top->name) != 0)
			root->must_list = true;
		return; /* both */
	}
	strcpy(name, top->name);
	folder_remove(d, top); /* its watch as well: a run's is another one on the same folder */
	if (runs_add(d, root, name) != 0)
		root->must_list = true;
}

static bool
is_run_file(const struct discovery *d, const char *name)
{
	const struct settings *s = &d->instance->settings;

	return strcmp(name, s->storage.files.run_info) == 0 ||
	       strcmp(name, s->storage.files.stdout_log) == 0 ||
	       strcmp(name, s->storage.files.stderr_log) == 0 ||
	       strcmp(name, s->storage.files.events) == 0;
}

/* Of a folder's own: whatever in it was not shown by the listing of this round is gone. */
static void
drop_unseen(struct discovery *d, struct folder *folder)
{
	struct folder *child, *next_child;
	struct candidate *candidate, *next_candidate;

	for (uint32_t at = folder->first_run, next; at != 0; at = next) {
		next = d->runs[at - 1].next;
		if (d->runs[at - 1].round != d->round)
			runs_delete(d, at - 1);
	}
	for (candidate = folder->candidates; candidate; candidate = next_candidate) {
		next_candidate = candidate->hh.next;
		if (candidate->round != d->round)
			candidate_free(d, candidate);
	}
	for (child = folder->children; child; child = next_child) {
		next_child = child->hh.next;
		if (child->round != d->round)
			folder_remove(d, child);
	}
}

/* --- listing ------------------------------------------------------------------------------------ */

static bool
may_be_ours(const char *name)
{
	return name[0] != '.' && run_id_valid(name, strlen(name));
}

/* Whether the entry is a folder; on file systems that do not tell, that takes a look at it. */
static bool
is_folder(int fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Reads all entries. 0 or -errno; *ret_run_file: one was a run's file. */
static int
read_entries(struct discovery *d, struct folder *folder, DIR *dir, bool *ret_run_file)
{
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (!may_be_ours(entry->d_name))
			continue;
		if (is_folder(dirfd(dir), entry))
			see(d, folder, entry->d_name);
		else if (folder->kind == FOLDER_TOP && is_run_file(d, entry->d_name))
			*ret_run_file = true;
	}
}

static int
list_open(struct discovery *d, struct folder *folder, struct stat *ret_st, DIR **ret_dir)
{
	char path[PATH_BYTES_MAX];
	int fd, error;

	folder_path(folder, path);
	error = run_dir_open_list(d->root_fd, path, &fd);
	if (error)
		return error;
	/* Watched before it is read: what comes in between is told, and seen, maybe twice. */
	watch_folder(d, folder, fd);
	folder->watches_above = false;
	*ret_dir = fstat(fd, ret_st) == 0 ? fdopendir(fd) : NULL;
	if (!*ret_dir) {
		error = -errno;
		fd_close(&fd);
		return error;
	}
	return 0;
}

/* What cannot be listed now keeps its runs, and is tried again at each look. */
static void
cannot_list(struct folder *folder, int error)
{
	if (!folder->is_unreadable)
		log_warning("folder_unreadable", "folder=\"%s%s%s\" error=\"%s\"",
		            folder->kind == FOLDER_TASK ? folder->parent->name : "",
		            folder->kind == FOLDER_TASK ? "/" : "", folder->name,
		            strerror(-error));
	folder->is_unreadable = true;
	folder->must_list = true;
}

/* 0, also for one that cannot be listed now; or an error for which is_gone(). The folder may be
 * freed then, as well as when it turned out to be a run's. */
static int
list(struct discovery *d, struct folder *folder)
{
	bool has_run_file = false;
	struct stat st;
	DIR *dir;
	int error;

	folder->must_list = false;
	error = list_open(d, folder, &st, &dir);
	if (!error) {
		d->round++;
		error = read_entries(d, folder, dir, &has_run_file);
		closedir(dir);
	}
	if (is_gone(error))
		return error;
	if (error) {
		cannot_list(folder, error);
		return 0;
	}
	drop_unseen(d, folder);
	folder->is_listed = true;
	folder->is_unreadable = false;
	folder->is_racy = is_racy(&st, clock_wall_ms());
	folder->dev = st.st_dev;
	folder->ino = st.st_ino;
	folder->mtime_ns = mtime_ns(&st);
	if (has_run_file && runs_probe(d, folder->parent, folder->name) > 0)
		top_becomes_run(d, folder);
	return 0;
}

/* --- looking at folders ------------------------------------------------------------------------- */

static int
stat_folder(struct discovery *d, const struct folder *folder, struct stat *ret_st)
{
	char path[PATH_BYTES_MAX];

	folder_path(folder, path);
	if (fstatat(d->root_fd, path, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(ret_st->st_mode) ? 0 : -ENOTDIR;
}

/* A task without a folder "runs": its own folder tells when there is one. */
static void
watch_above(struct discovery *d, struct folder *task)
{
	char path[PATH_BYTES_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", task->parent->name, task->name);
	if (!d->watches_work || run_dir_open(d->root_fd, path, &fd) != 0)
		return;
	watch_folder(d, task, fd);
	task->watches_above = task->wd >= 0;
	fd_close(&fd);
}

/* Lists the folder if it may have changed. May free it. */
static void
look_at(struct discovery *d, struct folder *folder)
{
	struct stat st;
	int error = stat_folder(d, folder, &st);

	if (!error && folder->is_listed && !folder->must_list && !folder->is_racy &&
	    st.st_dev == folder->dev && st.st_ino == folder->ino &&
	    mtime_ns(&st) == folder->mtime_ns)
		return;
	if (!error)
		error = list(d, folder);
	if (is_gone(error)) {
		folder_empty(d, folder);
		folder->must_list = false;
		if (folder->kind != FOLDER_TASK) {
			if (folder->parent)
				folder->parent->must_list = true;
		} else if (!folder->watches_above) {
			watch_above(d, folder);
			/* It may have come before the watch did. */
			if (folder->watches_above && stat_folder(d, folder, &st) == 0)
				folder->must_list = true;
		}
	} else if (error) {
		cannot_list(folder, error);
	}
}

void
scan_folders(struct discovery *d, bool all_folders)
{
	uint64_t turn = d->look_count, looks = d->folder_count / TRUSTED_PER_LOOK;
	struct folder *folder, *next;

	if (looks < TRUSTED_LOOKS)
		looks = TRUSTED_LOOKS;

	/* Folders that are found on the way are appended, and so have their turn. Looking at one may
	 * remove those below it, which stand behind it, and itself. */
	for (folder = TAILQ_FIRST(&d->folders); folder; folder = next) {
		struct folder *previous = TAILQ_PREV(folder, folder_list, entry);

		turn++;
		if (all_folders || folder->wd < 0 || folder->must_list || folder->is_racy ||
		    turn % looks == 0)
			look_at(d, folder);
		next = previous ? TAILQ_NEXT(previous, entry) : TAILQ_FIRST(&d->folders);
		if (next == folder)
			next = TAILQ_NEXT(folder, entry);
	}
}

void
scan_found(struct discovery *d)
{
	struct folder *folder, *next;

	for (folder = TAILQ_FIRST(&d->folders); folder; folder = next) {
		struct folder *previous = TAILQ_PREV(folder, folder_list, entry);

		if (folder->must_list && !folder->is_unreadable)
			look_at(d, folder);
		next = previous ? TAILQ_NEXT(previous, entry) : TAILQ_FIRST(&d->folders);
		if (next == folder)
			next = TAILQ_NEXT(folder, entry);
	}
}

void
scan_candidates(struct discovery *d, size_t most)
{
	if (most > d->candidate_count)
		most = d->candidate_count;
	for (; most > 0 && !TAILQ_EMPTY(&d->candidates); most--) {
		struct candidate *candidate = TAILQ_FIRST(&d->candidates);

		TAILQ_REMOVE(&d->candidates, candidate, entry);
		TAILQ_INSERT_TAIL(&d->candidates, candidate, entry);
		scan_candidate(d, candidate);
	}
}

/* --- what a watch tells ------------------------------------------------------------------------- */

/* What happened in the folder is known: its new time of modification is no reason to list it. */
static void
explain(struct discovery *d, struct folder *folder)
{
	struct stat st;

	if (!folder->is_listed || stat_folder(d, folder, &st) != 0 || st.st_ino != folder->ino ||
	    st.st_dev != folder->dev)
		return;
	folder->mtime_ns = mtime_ns(&st);
	folder->is_racy = false;
}

static void
forget_name(struct discovery *d, struct folder *folder, const char *name)
{
	struct candidate *candidate = folder_candidate(folder, name);
	struct folder *child = folder_child(folder, name);
	uint32_t slot;

	if (candidate)
		candidate_free(d, candidate);
	if (child)
		folder_remove(d, child);
	if (runs_lies_in(d, folder, name, &slot))
		runs_delete(d, slot);
}

void
scan_name(struct discovery *d, struct folder *folder, const char *name)
{
	char path[2 * PATH_BYTES_MAX];
	struct stat st;
	uint32_t slot;

	if (folder->watches_above) {
		if (strcmp(name, "runs") == 0)
			look_at(d, folder);
		return;
	}
	if (folder->kind == FOLDER_TOP && is_run_file(d, name)) {
		if (runs_lies_in(d, folder->parent, folder->name, &slot))
			runs_refresh(d, slot, true);
		else if (runs_probe(d, folder->parent, folder->name) > 0)
			top_becomes_run(d, folder);
		return;
	}
	if (!may_be_ours(name))
		return;
	folder_path(folder, path);
	strcat(path, "/");
	strcat(path, name);
	if (fstatat(d->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
		forget_name(d, folder, name);
	} else {
		see(d, folder, name);
		if (runs_lies_in(d, folder, name, &slot))
			runs_refresh(d, slot, true);
	}
	explain(d, folder);
}
