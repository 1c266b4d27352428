/* inotify: which folders are watched, and what their events mean. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "discovery/state.h"
#include "store/run_dir.h"

enum {
	FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR,
	RUN_EVENTS = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR,
	READS_MAX = 64, /* in one go; the rest comes with the next turn */
};

void
watch_start(struct discovery *d)
{
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify_fd < 0)
		log_warning("inotify_unavailable", "error=\"%s\"", strerror(errno));
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
tells_of_changes(int fd)
{
	static const unsigned long silent[] = {
		NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
		FUSE_SUPER_MAGIC, V9FS_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CEPH_SUPER_MAGIC,
		CODA_SUPER_MAGIC, OCFS2_SUPER_MAGIC, 0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */,
		0x47504653 /* GPFS */,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if ((unsigned long)fs.f_type == silent[i])
			return false;
	return true;
}

void
watch_choose(struct discovery *d)
{
	d->watches_work = d->inotify_fd >= 0 && d->instance->settings.following.inotify &&
	                  tells_of_changes(d->root_fd);
	d->watches_ran_out = false;
}

static struct watch *
find(struct discovery *d, int wd)
{
	struct watch *watch;

	HASH_FIND_INT(d->watches, &wd, watch);
	return watch;
}

/* Returns NULL when it cannot be watched: it is then polled. */
static struct watch *
add(struct discovery *d, int fd, uint32_t events)
{
	char path[32];
	struct watch *watch;
	int wd;

	if (!d->watches_work || d->watches_ran_out)
		return NULL;
	/* By its descriptor: a path may lead elsewhere by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(d->inotify_fd, path, events);
	if (wd < 0) {
		if (errno == ENOSPC) {
			d->watches_ran_out = true;
			log_warning("inotify_watches_used_up",
			            "hint=\"raise fs.inotify.max_user_watches; until then "
			            "folders are polled\"");
		}
		return NULL;
	}
	watch = find(d, wd);
	if (!watch) {
		watch = malloc(sizeof(*watch));
		if (!watch) {
			inotify_rm_watch(d->inotify_fd, wd);
			return NULL;
		}
		watch->wd = wd;
		HASH_ADD_INT(d->watches, wd, watch);
	}
	watch->folder = NULL;
	watch->candidate = NULL;
	watch->slot = UINT32_MAX;
	return watch;
}

void
watch_folder(struct discovery *d, struct folder *folder, int fd)
{
	struct watch *watch = add(d, fd, FOLDER_EVENTS);
	int old = folder->wd;

	folder->wd = watch ? watch->wd : -1;
	if (old != folder->wd)
		watch_drop(d, &old);
	if (watch)
		watch->folder = folder;
}

void
watch_candidate(struct discovery *d, struct candidate *candidate)
{
	char path[PATH_BYTES_MAX];
	struct watch *watch;
	int fd;

	if (!d->watches_work)
		return;
	snprintf(path, sizeof(path), "%s/%s/runs/%s", candidate->folder->parent->name,
	         candidate->folder->name, candidate->name);
	if (run_dir_open(d->root_fd, path, &fd) != 0)
		return;
	watch = add(d, fd, RUN_EVENTS);
	fd_close(&fd);
	if (watch) {
		watch->candidate = candidate;
		candidate->wd = watch->wd;
	}
}

void
watch_run(struct discovery *d, uint32_t slot, int fd)
{
	struct watch *watch = add(d, fd, RUN_EVENTS);

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
	watch = find(d, *wd);
	if (watch) {
		inotify_rm_watch(d->inotify_fd, *wd);
		HASH_DEL(d->watches, watch);
		free(watch);
	}
	*wd = -1;
}

/* --- events ------------------------------------------------------------------------------------- */

/* The kernel has dropped the watch: the folder is gone, or its file system is. */
static void
ignored(struct discovery *d, struct watch *watch)
{
	if (watch->folder) {
		watch->folder->wd = -1;
		watch->folder->watches_above = false;
		watch->folder->must_list = true;
	} else if (watch->candidate) {
		watch->candidate->wd = -1;
	} else if (watch->slot != UINT32_MAX) {
		d->runs[watch->slot].wd = -1;
	}
	HASH_DEL(d->watches, watch);
	free(watch);
}

static void
take(struct discovery *d, const struct inotify_event *event)
{
	struct watch *watch;

	if (event->mask & IN_Q_OVERFLOW) {
		log_warning("inotify_overflow", "hint=\"all folders are listed anew\"");
		folders_forget_listings(d);
		return;
	}
	watch = find(d, event->wd);
	if (!watch)
		return; /* of a watch that was removed after this was queued */
	if (event->mask & IN_IGNORED)
		ignored(d, watch);
	else if (event->len == 0)
		return;
	else if (watch->folder)
		scan_name(d, watch->folder, event->name);
	else if (watch->candidate)
		scan_candidate(d, watch->candidate);
	else if (strcmp(event->name, d->instance->settings.storage.files.run_info) == 0)
		runs_refresh(d, watch->slot, true);
}

void
watch_read(struct discovery *d)
{
	union {
		struct inotify_event event;
		char bytes[16 * 1024];
	} buffer;

	if (d->inotify_fd < 0)
		return;
	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = read(d->inotify_fd, buffer.bytes, sizeof(buffer.bytes)), at = 0;

		if (n <= 0)
			break;
		while (at < n) {
			const struct inotify_event *event = (const void *)(buffer.bytes + at);

			take(d, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	scan_found(d);
}
