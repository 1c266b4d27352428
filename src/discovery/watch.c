/* inotify: which folders are watched. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "discovery/state.h"

enum { WATCH_AGAIN_MS = 5000 };

enum {
	FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR,
	RUN_EVENTS = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR,
};

static void
refused(struct discovery *d, int error)
{
	d->counters->faults[COUNTERS_FAULT_INOTIFY]++;
	d->inotify_error = error;
	d->watches_tried_ms = clock_now_ms();
}

void
watch_start(struct discovery *d)
{
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify_fd < 0)
		refused(d, errno);
}

void
watch_stop(struct discovery *d)
{
	struct watch *watch, *next;

	loop_fd_remove(d->loop, &d->inotify_watch);
	fd_close(&d->inotify_fd);
	watch = d->watches;
	HASH_CLEAR(hh, d->watches);
	for (; watch; watch = next) {
		next = watch->hh.next;
		free(watch);
	}
}

/* File systems on which others may write without this kernel knowing (statfs(2)). */
static bool
tells_of_changes(struct discovery *d, const char *path, int fd)
{
	static const unsigned long silent[] = {
		NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
		FUSE_SUPER_MAGIC, V9FS_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CEPH_SUPER_MAGIC,
		CODA_SUPER_MAGIC, OCFS2_SUPER_MAGIC, 0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */,
		0x47504653 /* GPFS */,
	};
	struct statfs fs;

	if (call_statfs(d, path, fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if ((unsigned long)fs.f_type == silent[i])
			return false;
	return true;
}

void
watch_choose(struct discovery *d)
{
	d->must_choose_watches = false;
	d->watches_work = d->inotify_fd >= 0 && d->instance->settings.following.inotify &&
	                  tells_of_changes(d, ".", d->root_fd);
	d->watches_ran_out = false;
}

void
watch_retry(struct discovery *d)
{
	struct folder *folder;

	if (!d->instance->settings.following.inotify || (d->inotify_fd >= 0 && !d->watches_ran_out) ||
	    clock_now_ms() - d->watches_tried_ms < WATCH_AGAIN_MS)
		return;
	if (d->inotify_fd < 0) {
		watch_start(d);
		if (d->inotify_fd < 0)
			return;
		watch_choose(d);
		d->must_list_all = true;
		return;
	}
	/* Where one folder can be watched that is not, so may the others. */
	d->watches_ran_out = false;
	TAILQ_FOREACH (folder, &d->folders, entry) {
		char path[PATH_BYTES_MAX];
		int fd;

		if (folder->wd >= 0 || !folder->is_listed)
			continue;
		path_of_listed(folder, path);
		if (call_open_list(d, path, &fd) != 0)
			continue;
		watch_folder(d, folder, path, fd);
		call_close(&fd);
		if (d->watches_ran_out)
			return;
		break;
	}
	d->must_list_all = true;
}

bool
watch_may_add(const struct discovery *d)
{
	return d->watches_work && !d->watches_ran_out;
}

struct watch *
watch_find(struct discovery *d, int wd)
{
	struct watch *watch;

	HASH_FIND_INT(d->watches, &wd, watch);
	return watch;
}

/* Where it is noted that it is watched. */
static int *
owner_wd(struct discovery *d, const struct watch *watch)
{
	if (watch->folder)
		return watch->is_above ? &watch->folder->above_wd : &watch->folder->wd;
	if (watch->candidate)
		return &watch->candidate->wd;
	return &d->runs[watch->slot].wd;
}

static void
disown(struct discovery *d, const struct watch *watch)
{
	*owner_wd(d, watch) = -1;
	if (watch->folder)
		turns_want(d, watch->folder);
}

/* Returns NULL when it cannot be watched: it is then polled. */
static struct watch *
add(struct discovery *d, const char *path, int fd, uint32_t events)
{
	struct watch *watch;
	int wd;

	if (!watch_may_add(d))
		return NULL;
	wd = call_watch(d, path, fd, events);
	if (wd < 0) {
		if (wd == -ENOSPC || wd == -ENOMEM) {
			d->watches_ran_out = true;
			refused(d, -wd);
		}
		return NULL;
	}
	watch = watch_find(d, wd);
	if (watch) {
		/* A folder has but one watch: whoever had it, maybe under the folder's old name. */
		disown(d, watch);
	} else {
		watch = malloc(sizeof(*watch));
		if (!watch) {
			inotify_rm_watch(d->inotify_fd, wd);
			return NULL;
		}
		watch->wd = wd;
		HASH_ADD_INT(d->watches, wd, watch);
	}
	watch->folder = NULL;
	watch->is_above = false;
	watch->candidate = NULL;
	watch->slot = UINT32_MAX;
	return watch;
}

/* Puts the watch in the place of the one that was there. */
static void
replace(struct discovery *d, int *wd, const struct watch *watch)
{
	int old = *wd;

	*wd = watch ? watch->wd : -1;
	if (old != *wd)
		watch_drop(d, &old);
}

/* Another file system may be mounted there than that of the runs directory, which was asked. */
static bool
is_told(struct discovery *d, const char *path, int fd)
{
	struct stat st;

	return watch_may_add(d) && call_stat(d, path, fd, "", &st) == 0 &&
	       (!d->root->is_listed || st.st_dev == d->root->dev || tells_of_changes(d, path, fd));
}

void
watch_folder(struct discovery *d, struct folder *folder, const char *path, int fd)
{
	struct watch *watch = is_told(d, path, fd) ? add(d, path, fd, FOLDER_EVENTS) : NULL;

	replace(d, &folder->wd, watch);
	if (watch)
		watch->folder = folder;
}

void
watch_above(struct discovery *d, struct folder *task, const char *path, int fd)
{
	struct watch *watch = is_told(d, path, fd) ? add(d, path, fd, FOLDER_EVENTS) : NULL;

	replace(d, &task->above_wd, watch);
	if (watch) {
		watch->folder = task;
		watch->is_above = true;
	}
}

void
watch_candidate(struct discovery *d, struct candidate *candidate, const char *path, int fd)
{
	struct watch *watch = add(d, path, fd, RUN_EVENTS);

	if (watch) {
		watch->candidate = candidate;
		candidate->wd = watch->wd;
	}
}

void
watch_run(struct discovery *d, uint32_t slot, const char *path, int fd)
{
	struct watch *watch = add(d, path, fd, RUN_EVENTS);

	if (watch) {
		watch->slot = slot;
		d->runs[slot].wd = watch->wd;
	}
}

void
watch_drop(struct discovery *d, int *wd)
{
	struct watch *watch;

	if (*wd < 0)
		return;
	watch = watch_find(d, *wd);
	if (watch) {
		inotify_rm_watch(d->inotify_fd, *wd);
		HASH_DEL(d->watches, watch);
		free(watch);
	}
	*wd = -1;
}

void
watch_forget(struct discovery *d, struct watch *watch)
{
	disown(d, watch);
	HASH_DEL(d->watches, watch);
	free(watch);
}
