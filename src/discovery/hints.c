/* What the watches tell: where something happened, and under which name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "discovery/state.h"

enum { READS_MAX = 64 }; /* in one go; the rest comes with the next turn */

/* --- a name in a folder ------------------------------------------------------------------------- */

/* What happened in the folder is known: its new time of modification is no reason to list it. */
static void
explain(struct discovery *d, struct folder *folder)
{
	struct stat st;

	if (!folder->is_listed || folder_stat(d, folder, &st) != 0 || st.st_ino != folder->ino ||
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

/* A folder of that name is there, maybe another one than before. */
static void
see_name(struct discovery *d, struct folder *folder, const char *name)
{
	struct folder *child = folder_child(folder, name);
	uint32_t slot;

	if (child)
		turns_list_again(d, child);
	scan_see(d, folder, name);
	if (runs_lies_in(d, folder, name, &slot))
		runs_refresh(d, slot, true);
}

/* A run's file in a folder that is, or was taken for, a project's. */
static void
take_run_file(struct discovery *d, struct folder *top)
{
	uint32_t slot;

	if (runs_lies_in(d, top->parent, top->name, &slot))
		runs_refresh(d, slot, true);
	else if (runs_probe(d, top->parent, top->name) > 0)
		scan_top_is_run(d, top);
}

static void
take_name(struct discovery *d, struct folder *folder, const char *name)
{
	char path[2 * PATH_BYTES_MAX];
	struct stat st;
	int error;

	if (folder->kind == FOLDER_TOP && runs_is_file(d, name)) {
		take_run_file(d, folder);
		return; /* the folder may be gone */
	}
	if (!may_be_ours(name))
		return;
	path_of_name(folder, name, path);
	if (folder->kind == FOLDER_TOP &&
	    strcmp(name, d->instance->settings.storage.files.project_bus) == 0)
		buses_look(d, folder);
	error = call_stat(d, path, d->root_fd, path, &st);
	if (is_gone(error) || (!error && !S_ISDIR(st.st_mode)))
		forget_name(d, folder, name);
	else if (error)
		turns_list_again(d, folder); /* what is there is not known */
	else
		see_name(d, folder, name);
	explain(d, folder);
}

/* In a task's own folder. */
static void
take_name_above(struct discovery *d, struct folder *task, const char *name)
{
	if (strcmp(name, "runs") == 0)
		turns_list_again(d, task);
	else if (strcmp(name, d->instance->settings.storage.files.task_bus) == 0)
		buses_look(d, task);
}

/* --- events ------------------------------------------------------------------------------------- */

/* The kernel has dropped the watch: the folder is gone, or its file system is. */
static void
ignored(struct discovery *d, struct watch *watch)
{
	if (watch->folder)
		turns_list_again(d, watch->folder);
	watch_forget(d, watch);
}

static void
take(struct discovery *d, const struct inotify_event *event)
{
	struct watch *watch;

	if (event->mask & IN_Q_OVERFLOW) {
		d->counters->faults[COUNTERS_FAULT_OVERFLOW]++;
		d->must_list_all = true;
		return;
	}
	watch = watch_find(d, event->wd);
	if (!watch)
		return; /* of a watch that was removed after this was queued */
	if (event->mask & IN_IGNORED)
		ignored(d, watch);
	else if (event->len == 0)
		return;
	else if (watch->folder && watch->is_above)
		take_name_above(d, watch->folder, event->name);
	else if (watch->folder)
		take_name(d, watch->folder, event->name);
	else if (watch->candidate)
		candidate_look(d, watch->candidate);
	else if (strcmp(event->name, d->instance->settings.storage.files.run_info) == 0)
		runs_refresh(d, watch->slot, true);
}

static void
take_all(struct discovery *d)
{
	while (d->hints_at < d->hints_end) {
		const struct inotify_event *event = (const void *)(d->hints + d->hints_at);

		d->hints_at += sizeof(*event) + event->len; /* before it is taken: see errands.c */
		take(d, event);
	}
}

void
hints_read(struct discovery *d)
{
	if (d->inotify_fd < 0)
		return;
	take_all(d);
	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = read(d->inotify_fd, d->hints, sizeof(d->hints));

		if (n <= 0)
			break;
		d->hints_at = 0;
		d->hints_end = (size_t)n;
		take_all(d);
	}
	scan_found(d);
}
