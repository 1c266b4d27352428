#include "store/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* RESOLVE_BENEATH gives up with EAGAIN when a folder was renamed meanwhile. */
enum { TRIES = 16 };

/* Of files and folders that are made. */
enum { FILE_MODE = 0666, FOLDER_MODE = 0777 };

static int
open_component(int dir_fd, const char *name, int flags)
{
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, FILE_MODE), error = errno;
	struct stat st;

	if (fd >= 0)
		return fd;
	/* This is what a symbolic link is called where a directory is asked for. */
	if (error == ENOTDIR && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return -error;
}

/* One folder after another, where there is no openat2(2): it may be kept away by the filter of
 * system calls of a container, and valgrind(1) may not know it. Any ".." is refused, since the
 * folder that it is in may be moved while we walk. */
static int
walk_beneath(int dir_fd, const char *path, int flags)
{
	int fd = -1;

	if (*path == '/')
		return -EXDEV;
	for (;;) {
		size_t length = strcspn(path, "/");
		const char *rest = path + length + strspn(path + length, "/");
		char name[NAME_MAX + 1];
		int next = -ENAMETOOLONG;

		if (length < sizeof(name)) {
			memcpy(name, path, length);
			name[length] = '\0';
			next = strcmp(name, "..") == 0
			               ? -EXDEV
			               : open_component(fd >= 0 ? fd : dir_fd, name,
			                                *rest ? O_PATH | O_DIRECTORY : flags);
		}
		fd_close(&fd);
		if (next < 0 || !*rest)
			return next;
		fd = next;
		path = rest;
	}
}

/* Returns the descriptor or -errno. */
static int
open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? FILE_MODE : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int tries = 0;

	for (;;) {
		int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

		if (fd < 0)
			fd = errno == ENOSYS ? walk_beneath(dir_fd, path, flags) : -errno;
		if (fd != -EINTR && (fd != -EAGAIN || ++tries >= TRIES))
			return fd;
	}
}

static int
open_folder(int dir_fd, const char *path, int flags, int *ret_fd)
{
	int fd = open_beneath(dir_fd, path, flags | O_DIRECTORY);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int
run_dir_open(int runs_dir_fd, const char *relative_path, int *ret_fd)
{
	return open_folder(runs_dir_fd, relative_path, O_PATH, ret_fd);
}

int
run_dir_open_list(int runs_dir_fd, const char *relative_path, int *ret_fd)
{
	return open_folder(runs_dir_fd, relative_path, O_RDONLY, ret_fd);
}

static int
check_regular(int fd, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return -errno;
	if (S_ISREG(st->st_mode))
		return 0;
	if (S_ISLNK(st->st_mode))
		return -ELOOP;
	return S_ISDIR(st->st_mode) ? -EISDIR : -ENXIO;
}

/* Opens what is there. */
static int
open_regular(int dir_fd, const char *name, int flags, struct stat *ret_stat, int *ret_fd)
{
	struct stat st;
	int fd, error;

	/* To open a FIFO or a device is to act on it: look at what it is before. */
	fd = open_beneath(dir_fd, name, O_PATH);
	if (fd < 0)
		return fd;
	error = check_regular(fd, &st);
	fd_close(&fd);
	if (error)
		return error;
	fd = open_beneath(dir_fd, name, flags | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	error = check_regular(fd, &st); /* it may be another one by now */
	if (error) {
		fd_close(&fd);
		return error;
	}
	if (ret_stat)
		*ret_stat = st;
	*ret_fd = fd;
	return 0;
}

int
run_dir_open_file(int run_dir_fd, const char *name, struct stat *ret_stat, int *ret_fd)
{
	return open_regular(run_dir_fd, name, O_RDONLY, ret_stat, ret_fd);
}

int
run_dir_open_append(int run_dir_fd, const char *name, int *ret_fd)
{
	/* Others make it, and take it away, between the two. */
	for (int tries = 0; tries < TRIES; tries++) {
		int error = open_regular(run_dir_fd, name, O_RDWR | O_APPEND, NULL, ret_fd), fd;

		if (error != -ENOENT)
			return error;
		fd = open_beneath(run_dir_fd, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (fd != -EEXIST)
			return fd;
	}
	return -EAGAIN;
}

int
run_dir_make(int dir_fd, const char *name, bool *ret_is_new, int *ret_fd)
{
	bool is_new = mkdirat(dir_fd, name, FOLDER_MODE) == 0;
	int error;

	if (!is_new && errno != EEXIST)
		return -errno;
	error = run_dir_open_list(dir_fd, name, ret_fd);
	if (!error && ret_is_new)
		*ret_is_new = is_new;
	return error;
}

int
run_dir_sync(int dir_fd)
{
	/* dir_fd may be an O_PATH one, which cannot be synced. */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		error = -errno;
	fd_close(&fd);
	return error;
}
