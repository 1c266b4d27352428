/*
 * A library for LD_PRELOAD that stands between a program and the C library, and has calls fail,
 * hang or be slow as the rules say (rules.h). Each function does what the system call of its name
 * does; those that another function of the C library makes within itself (fopen, say) are not
 * seen.
 */
#include "rules.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* The next one of that name: the C library's, or a sanitizer's. */
#define NEXT(name) \
	static __typeof__(&name) next; \
	if (!next) \
		*(void **)&next = dlsym(RTLD_NEXT, #name)

/* --- opening ------------------------------------------------------------------------------------ */

static mode_t
mode_of(int flags, va_list arguments)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE
	               ? (mode_t)va_arg(arguments, int)
	               : 0;
}

int
openat(int dir_fd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;
	NEXT(openat);

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	if (fault(CALL_OPEN, dir_fd, path, NULL))
		return -1;
	return next(dir_fd, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;
	NEXT(open);

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	if (fault(CALL_OPEN, AT_FDCWD, path, NULL))
		return -1;
	return next(path, flags, mode);
}

/* openat2 has no function of its own. */
long
syscall(long number, ...)
{
	long a[6];
	va_list arguments;
	NEXT(syscall);

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_openat2 && fault(CALL_OPEN, (int)a[0], (const char *)a[1], NULL))
		return -1;
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- reading and writing ------------------------------------------------------------------------ */

ssize_t
read(int fd, void *to, size_t length)
{
	NEXT(read);

	return fault(CALL_READ, fd, NULL, &length) ? -1 : next(fd, to, length);
}

ssize_t
pread(int fd, void *to, size_t length, off_t offset)
{
	NEXT(pread);

	return fault(CALL_READ, fd, NULL, &length) ? -1 : next(fd, to, length, offset);
}

ssize_t
preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	NEXT(preadv2);

	return fault(CALL_READ, fd, NULL, NULL) ? -1 : next(fd, iov, count, offset, flags);
}

ssize_t
write(int fd, const void *from, size_t length)
{
	NEXT(write);

	return fault(CALL_WRITE, fd, NULL, &length) ? -1 : next(fd, from, length);
}

ssize_t
pwrite(int fd, const void *from, size_t length, off_t offset)
{
	NEXT(pwrite);

	return fault(CALL_WRITE, fd, NULL, &length) ? -1 : next(fd, from, length, offset);
}

ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	NEXT(writev);

	return fault(CALL_WRITE, fd, NULL, NULL) ? -1 : next(fd, iov, count);
}

ssize_t
send(int fd, const void *from, size_t length, int flags)
{
	NEXT(send);

	return fault(CALL_SEND, fd, NULL, &length) ? -1 : next(fd, from, length, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(sendmsg);

	return fault(CALL_SEND, fd, NULL, NULL) ? -1 : next(fd, message, flags);
}

int
fsync(int fd)
{
	NEXT(fsync);

	return fault(CALL_SYNC, fd, NULL, NULL) ? -1 : next(fd);
}

int
fdatasync(int fd)
{
	NEXT(fdatasync);

	return fault(CALL_SYNC, fd, NULL, NULL) ? -1 : next(fd);
}

int
ftruncate(int fd, off_t length)
{
	NEXT(ftruncate);

	return fault(CALL_ALLOCATE, fd, NULL, NULL) ? -1 : next(fd, length);
}

int
fallocate(int fd, int mode, off_t offset, off_t length)
{
	NEXT(fallocate);

	return fault(CALL_ALLOCATE, fd, NULL, NULL) ? -1 : next(fd, mode, offset, length);
}

/* --- looking ------------------------------------------------------------------------------------ */

int
stat(const char *restrict path, struct stat *restrict to)
{
	NEXT(stat);

	return fault(CALL_STAT, AT_FDCWD, path, NULL) ? -1 : next(path, to);
}

int
fstat(int fd, struct stat *to)
{
	NEXT(fstat);

	return fault(CALL_STAT, fd, NULL, NULL) ? -1 : next(fd, to);
}

int
fstatat(int dir_fd, const char *restrict path, struct stat *restrict to, int flags)
{
	NEXT(fstatat);

	return fault(CALL_STAT, dir_fd, path, NULL) ? -1 : next(dir_fd, path, to, flags);
}

int
statx(int dir_fd, const char *restrict path, int flags, unsigned mask, struct statx *restrict to)
{
	NEXT(statx);

	return fault(CALL_STAT, dir_fd, path, NULL) ? -1 : next(dir_fd, path, flags, mask, to);
}

int
fstatfs(int fd, struct statfs *to)
{
	NEXT(fstatfs);
	bool is_another = fault(CALL_KIND, fd, NULL, NULL);
	int kind = errno, result = next(fd, to);

	if (result == 0 && is_another)
		to->f_type = kind;
	return result;
}

struct dirent *
readdir(DIR *dir)
{
	NEXT(readdir);

	return fault(CALL_LIST, dirfd(dir), NULL, NULL) ? NULL : next(dir);
}

int
inotify_init1(int flags)
{
	NEXT(inotify_init1);

	return fault(CALL_INOTIFY, -1, NULL, NULL) ? -1 : next(flags);
}

/* What is watched is often named by its descriptor. */
int
inotify_add_watch(int fd, const char *path, uint32_t events)
{
	int watched;
	NEXT(inotify_add_watch);

	if (sscanf(path, "/proc/self/fd/%d", &watched) == 1
	            ? fault(CALL_WATCH, watched, NULL, NULL)
	            : fault(CALL_WATCH, AT_FDCWD, path, NULL))
		return -1;
	return next(fd, path, events);
}

/* --- names -------------------------------------------------------------------------------------- */

int
rename(const char *from, const char *to)
{
	NEXT(rename);

	return fault(CALL_RENAME, AT_FDCWD, to, NULL) ? -1 : next(from, to);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	NEXT(renameat);

	return fault(CALL_RENAME, to_fd, to, NULL) ? -1 : next(from_fd, from, to_fd, to);
}

int
mkdirat(int dir_fd, const char *path, mode_t mode)
{
	NEXT(mkdirat);

	return fault(CALL_MAKE, dir_fd, path, NULL) ? -1 : next(dir_fd, path, mode);
}

/* --- descriptors, processes, memory, time ------------------------------------------------------- */

int
accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
	NEXT(accept4);

	return fault(CALL_ACCEPT, fd, NULL, NULL) ? -1 : next(fd, address, length, flags);
}

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	NEXT(socketpair);

	return fault(CALL_SOCKET, -1, NULL, NULL) ? -1 : next(domain, type, protocol, fds);
}

int
epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);

	/* Taking something away does not fail for want of anything. */
	if (operation != EPOLL_CTL_DEL && fault(CALL_EPOLL, fd, NULL, NULL))
		return -1;
	return next(epoll_fd, operation, fd, event);
}

pid_t
fork(void)
{
	NEXT(fork);

	return fault(CALL_FORK, -1, NULL, NULL) ? -1 : next();
}

int
pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
               void *(*run)(void *), void *restrict arg)
{
	NEXT(pthread_create);

	return fault(CALL_THREAD, -1, NULL, NULL) ? errno : next(thread, attributes, run, arg);
}

void *
mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	NEXT(mmap);

	return fault(CALL_MMAP, fd, NULL, NULL)
	               ? MAP_FAILED
	               : next(address, length, protection, flags, fd, offset);
}

int
clock_gettime(clockid_t clock, struct timespec *to)
{
	NEXT(clock_gettime);
	int result = next(clock, to);

	if (result == 0 && clock == CLOCK_REALTIME)
		to->tv_sec += (time_t)(fault_clock_ms() / 1000);
	return result;
}
