/* Calls that look at what lies beneath the runs directory: each may hang (errands.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "discovery/state.h"
#include "store/file_fingerprint.h"
#include "store/run_dir.h"
#include "store/run_info.h"

/* --- opening ------------------------------------------------------------------------------------ */

static int
open_folder(struct discovery *d, const char *path,
            int (*open_it)(int runs_dir_fd, const char *path, int *ret_fd), int *ret_fd)
{
	int fd = -1, error;

	if (!errand_enter(d, path))
		return CALL_HELD;
	error = open_it(d->root_fd, path, &fd);
	if (!error)
		errand_keep_fd(fd);
	errand_leave();
	if (!error)
		*ret_fd = fd;
	return error;
}

int
call_open(struct discovery *d, const char *path, int *ret_fd)
{
	return open_folder(d, path, run_dir_open, ret_fd);
}

int
call_open_list(struct discovery *d, const char *path, int *ret_fd)
{
	return open_folder(d, path, run_dir_open_list, ret_fd);
}

static int
open_at(struct discovery *d, const char *about, int dir_fd, const char *path, int flags, int *ret_fd)
{
	int fd, error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	fd = openat(dir_fd, path, flags | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 ? -errno : 0;
	if (!error)
		errand_keep_fd(fd);
	errand_leave();
	if (!error)
		*ret_fd = fd;
	return error;
}

int
call_open_in(struct discovery *d, const char *about, int dir_fd, int *ret_fd)
{
	return open_at(d, about, dir_fd, ".", O_RDONLY, ret_fd);
}

int
call_open_root(struct discovery *d, const char *path, int *ret_fd)
{
	return open_at(d, ".", AT_FDCWD, path, O_PATH, ret_fd);
}

void
call_close(int *fd)
{
	errand_release_fd(*fd);
	fd_close(fd);
}

/* --- looking ------------------------------------------------------------------------------------ */

int
call_stat(struct discovery *d, const char *about, int dir_fd, const char *path, struct stat *ret_st)
{
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	error = fstatat(dir_fd, path, ret_st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0 ? -errno : 0;
	errand_leave();
	return error;
}

int
call_statx(struct discovery *d, const char *about, int dir_fd, const char *name, unsigned mask,
           struct statx *ret_stx)
{
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	error = statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, mask, ret_stx) < 0 ? -errno : 0;
	errand_leave();
	return error;
}

int
call_statfs(struct discovery *d, const char *about, int fd, struct statfs *ret_fs)
{
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	error = fstatfs(fd, ret_fs) < 0 ? -errno : 0;
	errand_leave();
	return error;
}

int
call_watch(struct discovery *d, const char *about, int fd, uint32_t events)
{
	char path[32];
	int wd;

	if (!errand_enter(d, about))
		return CALL_HELD;
	/* By its descriptor: a path may lead elsewhere by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(d->inotify_fd, path, events);
	if (wd < 0)
		wd = -errno;
	errand_leave();
	return wd;
}

/* --- listing ------------------------------------------------------------------------------------ */

int
call_list(struct discovery *d, const char *about, int *fd, DIR **ret_dir)
{
	DIR *dir;
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	dir = fdopendir(*fd);
	error = dir ? 0 : -errno;
	if (dir) {
		errand_release_fd(*fd);
		errand_keep_dir(dir);
		*fd = -1;
	}
	errand_leave();
	if (!error)
		*ret_dir = dir;
	return error;
}

int
call_list_next(struct discovery *d, const char *about, DIR *dir, struct dirent **ret_entry)
{
	struct dirent *entry;
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	errno = 0;
	entry = readdir(dir);
	error = entry ? 0 : -errno;
	errand_leave();
	*ret_entry = entry;
	return error;
}

void
call_list_end(DIR *dir)
{
	errand_keep_dir(NULL);
	closedir(dir);
}

/* --- reading ------------------------------------------------------------------------------------ */

int
call_fingerprint(struct discovery *d, const char *about, int dir_fd, const char *name, uint64_t bytes,
                 uint64_t *ret_fingerprint)
{
	uint64_t fingerprint = 0;
	struct stat st;
	int fd, error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	error = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	if (!error)
		error = S_ISREG(st.st_mode) ? file_fingerprint(fd, bytes, &fingerprint) : -ENXIO;
	fd_close(&fd);
	errand_leave();
	if (!error)
		*ret_fingerprint = fingerprint;
	return error;
}

int
call_read_info(struct discovery *d, const char *about, int dir_fd, struct run_info *ret_info)
{
	char name[REGISTRY_NAME_BYTES + 1];
	struct run_info info;
	int error;

	if (!errand_enter(d, about))
		return CALL_HELD;
	/* The settings may be others by the time that it is used. */
	snprintf(name, sizeof(name), "%s", d->instance->settings.storage.files.run_info);
	error = run_info_read(dir_fd, name, &info);
	if (!errand_is_over()) {
		if (!error)
			run_info_fini(&info);
		errand_abandon();
	}
	if (!error)
		*ret_info = info;
	return error;
}
