/* Folders: which may have changed, what is new in them, what is gone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "discovery/state.h"

enum {
	/* A folder whose watch is trusted is looked at in one look of so many; or in more, so that
	 * a look has at most so many of them. */
	TRUSTED_LOOKS = 8,
	TRUSTED_PER_LOOK = 500,
};

/* --- names -------------------------------------------------------------------------------------- */

static void
note_failure(struct discovery *d, int error)
{
	if (is_for_now(error))
		d->look_left_out = true;
}

/* A folder beneath the root or a runs folder that is not known yet. */
static void
see_new(struct discovery *d, struct folder *folder, const char *name)
{
	int is_run = runs_probe(d, folder, name);
	struct folder *child;

	note_failure(d, is_run);
	if (is_gone(is_run))
		return;
	if (is_run > 0) {
		int error = runs_add(d, folder, name);

		note_failure(d, error);
		if (error)
			turns_list_again(d, folder);
	} else if (folder->kind == FOLDER_TASK) {
		/* Also one that cannot be read, for now: it has its turn again. */
		candidate_new(d, folder, name);
	} else {
		child = folder_new(d, folder, FOLDER_TOP, name);
		if (child)
			child->round = d->round;
	}
}

void
scan_see(struct discovery *d, struct folder *folder, const char *name)
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

void
scan_top_is_run(struct discovery *d, struct folder *top)
{
	struct folder *root = top->parent;
	char name[REGISTRY_NAME_BYTES + 1];

	if (top->children || top->bus != 0) {
		if (runs_add(d, root, top->name) != 0)
			turns_list_again(d, root);
		return; /* both */
	}
	strcpy(name, top->name);
	folder_remove(d, top); /* its watch as well: a run's is another one on the same folder */
	if (runs_add(d, root, name) != 0)
		turns_list_again(d, root);
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

/* Whether the entry is a folder; on file systems that do not tell, that takes a look at it. */
static bool
is_folder(struct discovery *d, const struct folder *folder, int fd, const struct dirent *entry)
{
	char path[2 * PATH_BYTES_MAX];
	struct stat st;
	int error;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	path_of_name(folder, entry->d_name, path);
	error = call_stat(d, path, fd, entry->d_name, &st);
	return error == CALL_HELD || (!error && S_ISDIR(st.st_mode));
}

/* Reads all entries. 0 or -errno; *ret_run_file: one was a run's file. */
static int
read_entries(struct discovery *d, struct folder *folder, const char *path, DIR *dir,
             bool *ret_run_file)
{
	for (;;) {
		struct dirent *entry;
		int error = call_list_next(d, path, dir, &entry);

		if (error || !entry)
			return error;
		if (!may_be_ours(entry->d_name))
			continue;
		if (is_folder(d, folder, dirfd(dir), entry))
			scan_see(d, folder, entry->d_name);
		else if (folder->kind == FOLDER_TOP && runs_is_file(d, entry->d_name))
			*ret_run_file = true;
	}
}

static int
list_open(struct discovery *d, struct folder *folder, const char *path, struct stat *ret_st,
          DIR **ret_dir)
{
	int fd, error = call_open_list(d, path, &fd);

	if (error)
		return error;
	error = call_stat(d, path, fd, "", ret_st);
	if (!error) {
		/* Watched before it is read: what comes in between is told, and seen, maybe twice. */
		watch_folder(d, folder, path, fd);
		error = call_list(d, path, &fd, ret_dir);
	}
	if (error)
		call_close(&fd);
	return error;
}

/* What cannot be listed now keeps its runs, and is tried again at each look. */
static void
cannot_list(struct discovery *d, struct folder *folder, int error)
{
	d->counters->faults[COUNTERS_FAULT_LOOK]++;
	d->folder_error = -error;
	note_failure(d, error);
	snprintf(d->folder_failed, sizeof(d->folder_failed), "%s%s%s",
	         folder->kind == FOLDER_TASK ? folder->parent->name : "",
	         folder->kind == FOLDER_TASK ? "/" : "", folder->name);
	folder->is_unreadable = true;
	folder->must_list = true;
}

/* 0, also for one that cannot be listed now; or an error for which is_gone(). The folder may be
 * freed then, as well as when it turned out to be a run's. */
static int
list(struct discovery *d, struct folder *folder)
{
	char path[PATH_BYTES_MAX];
	bool has_run_file = false;
	struct folder *child;
	struct stat st;
	DIR *dir;
	int error;

	path_of_listed(folder, path);
	error = list_open(d, folder, path, &st, &dir);
	if (!error) {
		folder->must_list = false;
		folder->is_racy = true; /* until it is over: it may be set aside in the middle */
		d->round++;
		error = read_entries(d, folder, path, dir, &has_run_file);
		call_list_end(dir);
	}
	if (is_gone(error) || error == CALL_HELD)
		return error;
	if (error) {
		cannot_list(d, folder, error);
		return 0;
	}
	drop_unseen(d, folder);
	/* Another folder of that name: those in it are others as well. */
	if (folder->is_listed && (st.st_dev != folder->dev || st.st_ino != folder->ino))
		for (child = folder->children; child; child = child->hh.next)
			turns_list_again(d, child);
	folder->is_listed = true;
	folder->is_unreadable = false;
	folder->is_racy = is_racy(&st, clock_wall_ms());
	folder->dev = st.st_dev;
	folder->ino = st.st_ino;
	folder->mtime_ns = mtime_ns(&st);
	if (folder->kind == FOLDER_TOP)
		buses_look(d, folder);
	if (has_run_file && runs_probe(d, folder->parent, folder->name) > 0)
		scan_top_is_run(d, folder);
	return 0;
}

/* --- looking at folders ------------------------------------------------------------------------- */

/* A task's own folder is watched for what it has not got: "runs", a bus. True if that is news, and
 * what came before is to be looked for again. */
static bool
watch_task(struct discovery *d, struct folder *task)
{
	char path[PATH_BYTES_MAX];
	int fd, old = task->above_wd;

	if (!watch_may_add(d))
		return false;
	path_of_folder(task, path);
	if (call_open(d, path, &fd) != 0)
		return false;
	watch_above(d, task, path, fd);
	call_close(&fd);
	return task->above_wd >= 0 && task->above_wd != old;
}

/* Looks at a task's own folder, and then at its "runs" as folder_stat() does. */
static int
look_above(struct discovery *d, struct folder *task, struct stat *ret_st)
{
	int error = folder_stat(d, task, ret_st);

	buses_look(d, task);
	if (task->bus != 0 && !error) {
		watch_drop(d, &task->above_wd);
	} else if ((task->above_wd < 0 || task->must_list) && watch_task(d, task)) {
		buses_look(d, task);
		error = folder_stat(d, task, ret_st);
	}
	return error;
}

/* Lists the folder if it may have changed. May free it. */
static void
look_at(struct discovery *d, struct folder *folder)
{
	struct stat st;
	int error;

	turns_want(d, folder); /* since it may not be trusted afterwards */
	error = folder->kind == FOLDER_TASK ? look_above(d, folder, &st)
	                                    : folder_stat(d, folder, &st);

	if (!error && folder->is_listed && !folder->must_list && !folder->is_racy &&
	    st.st_dev == folder->dev && st.st_ino == folder->ino &&
	    mtime_ns(&st) == folder->mtime_ns)
		return;
	if (!error)
		error = list(d, folder);
	if (error == CALL_HELD) {
		folder->must_list = true;
	} else if (is_gone(error)) {
		folder_empty(d, folder);
		watch_drop(d, &folder->wd);
		folder->must_list = false;
		if (folder->kind != FOLDER_TASK && folder->parent)
			turns_list_again(d, folder->parent);
	} else if (error) {
		cannot_list(d, folder, error);
	}
}

void
scan_folders(struct discovery *d, bool all_folders)
{
	size_t trusted = d->folder_count / TRUSTED_LOOKS + 1;
	struct folder *folder;

	if (trusted > TRUSTED_PER_LOOK)
		trusted = TRUSTED_PER_LOOK;
	if (d->must_list_all)
		turns_list_all(d);
	turns_begin(d);
	while ((folder = turns_next(d)) != NULL)
		look_at(d, folder);
	if (all_folders)
		trusted = d->folder_count;
	else if (d->wanted_count >= d->folder_count)
		trusted = 0;
	for (; trusted > 0; trusted--) {
		folder = turns_next_trusted(d);
		/* One that is wanted had its turn, or has it when something was found. */
		if (!folder->turns)
			look_at(d, folder);
	}
	scan_found(d);
}

void
scan_found(struct discovery *d)
{
	struct folder *folder;

	do {
		if (d->must_list_all)
			turns_list_all(d);
		turns_begin(d);
		while ((folder = turns_next(d)) != NULL)
			if (folder->must_list && !folder->is_unreadable)
				look_at(d, folder);
	} while (d->must_list_all);
}
