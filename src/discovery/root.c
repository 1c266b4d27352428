/* The runs directory itself: missing, empty where it should not be, replaced. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "discovery/state.h"
#include "shm/registry_writer.h"

/* 0 or -errno. */
static int
open_root(struct discovery *d, int *ret_fd)
{
	int error = call_open_root(d, d->instance->settings.storage.runs_dir, ret_fd);

	if (error != -EACCES || d->instance->runs_dir_fd < 0)
		return error;
	/* A folder above it may be closed to whom we have become: keep what root opened. */
	*ret_fd = fcntl(d->instance->runs_dir_fd, F_DUPFD_CLOEXEC, 0);
	if (*ret_fd < 0)
		return -errno;
	errand_keep_fd(*ret_fd);
	return 0;
}

static bool
is_same_folder(struct discovery *d, int a, int b)
{
	struct stat st_a, st_b;

	return a >= 0 && b >= 0 && call_stat(d, ".", a, "", &st_a) == 0 &&
	       call_stat(d, ".", b, "", &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

static bool
is_empty(struct discovery *d, int folder_fd)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	int fd;

	if (call_open_in(d, ".", folder_fd, &fd) != 0)
		return false;
	if (call_list(d, ".", &fd, &dir) != 0) {
		call_close(&fd);
		return false;
	}
	while (!found && call_list_next(d, ".", dir, &entry) == 0 && entry)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	call_list_end(dir);
	return !found;
}

/* Its runs stay known: a file system that is not mounted was not deleted. */
static void
wait_for_root(struct discovery *d, int error)
{
	const char *path = d->instance->settings.storage.runs_dir;

	fd_close(&d->root_fd);
	if (d->root_was_missing && (error != 0 || d->root_was_empty))
		return;
	d->counters->faults[COUNTERS_FAULT_RUNS_DIR]++;
	if (error)
		log_warning("runs_dir_missing", "path=\"%s\" error=\"%s\" hint=\"waiting for "
		            "it\"", path, strerror(-error));
	else
		log_warning("runs_dir_empty", "path=\"%s\" hint=\"taken for a place where nothing "
		            "is mounted, until something is in it\"", path);
	d->root_was_missing = true;
	d->root_was_empty = error == 0;
}

bool
root_check(struct discovery *d)
{
	const char *path = d->instance->settings.storage.runs_dir;
	int fd = -1, error = open_root(d, &fd);

	if (error == CALL_HELD)
		return false;
	if (error) {
		wait_for_root(d, error);
		return false;
	}
	if (is_same_folder(d, fd, d->root_fd)) {
		call_close(&fd);
		return true;
	}
	/* The one that we were started with, and had not opened ourselves, is none that came. */
	if ((registry_writer_has_runs(d->writer) || registry_writer_has_runs(d->bus_writer)) &&
	    !is_same_folder(d, fd, d->instance->runs_dir_fd) && is_empty(d, fd)) {
		call_close(&fd);
		wait_for_root(d, 0);
		return false;
	}
	errand_release_fd(fd);
	fd_close(&d->root_fd);
	d->root_fd = fd;
	log_info("runs_dir", "path=%s back=%s", path, d->root_was_missing ? "yes" : "no");
	d->root_was_missing = d->root_was_empty = false;
	d->must_choose_watches = true;
	d->must_list_all = true;
	return true;
}
