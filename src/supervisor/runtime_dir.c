#include "supervisor/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/control.h"
#include "shm/instance.h"

enum { LOCK_LOOK_MS = 20, LOCK_MOANS_AFTER_MS = 1000 };

static int __attribute__((format(printf, 3, 4)))
complain(struct buf *sentence, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(sentence, format, args);
	va_end(args);
	return error;
}

/* Joins the directory and a name in it; settings keep the directory far shorter than PATH_MAX. */
static const char *
join(const char *path, const char *name, char ret_joined[static PATH_MAX])
{
	snprintf(ret_joined, PATH_MAX, "%s/%s", path, name);
	return ret_joined;
}

int
runtime_dir_make(const char *path, struct buf *sentence)
{
	bool is_new = mkdir(path, 0755) == 0;
	struct stat status;
	int error = 0, fd;

	if (!is_new && errno != EEXIST)
		return complain(sentence, -errno, "%s: cannot be made: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return complain(sentence, -errno,
		                "%s: must be a directory, and not a symbolic link to one", path);
	if (fd < 0 || fstat(fd, &status) < 0)
		error = complain(sentence, -errno, "%s: %s", path, strerror(errno));
	else if (status.st_uid != geteuid())
		error = complain(sentence, -EPERM, "%s: belongs to user %ju, not to us (%ju)", path,
		                 (uintmax_t)status.st_uid, (uintmax_t)geteuid());
	else if (is_new && fchmod(fd, 0755) < 0) /* whatever the umask left of it */
		error = complain(sentence, -errno, "%s: %s", path, strerror(errno));
	else if (!is_new && (status.st_mode & (S_IWGRP | S_IWOTH)))
		error = complain(sentence, -EPERM, "%s: others may write to it (mode %04o)", path,
		                 (unsigned)status.st_mode & 07777);
	fd_close(&fd);
	return error;
}

/* --- the lock --------------------------------------------------------------------------------- */

/* The pid of the supervisor that serves the control socket, or 0. Children do not hold it. */
static pid_t
find_supervisor(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	int fd;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET_NAME, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	/* The credentials are those of who called listen(): unix(7), SO_PEERCRED. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		peer.pid = 0;
	fd_close(&fd);
	return peer.pid;
}

/* Opens the file and tries the lock. -EWOULDBLOCK: held; -ESTALE: the file was just removed. */
static int
try_lock(const char *name, int *ret_fd)
{
	struct stat ours, current;
	int error = 0, fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		error = -errno;
	/* Who held it last removes the file; then this is a lock that nobody else can see. */
	else if (fstat(fd, &ours) < 0 || stat(name, &current) < 0 || ours.st_ino != current.st_ino)
		error = -ESTALE;
	if (error)
		fd_close(&fd);
	else
		*ret_fd = fd;
	return error;
}

int
runtime_dir_lock(const char *path, int64_t patience_ms, int *ret_fd, struct buf *sentence)
{
	int64_t began_ms = clock_now_ms();
	char name[PATH_MAX];
	bool moaned = false;

	join(path, RUNTIME_DIR_LOCK, name);
	for (;;) {
		struct timespec pause = { .tv_nsec = LOCK_LOOK_MS * 1000000L };
		int64_t waited_ms = clock_now_ms() - began_ms;
		int error = try_lock(name, ret_fd);
		pid_t pid;

		if (error == 0)
			return 0;
		if (error != -EWOULDBLOCK && error != -ESTALE)
			return complain(sentence, error, "%s: %s", name, strerror(-error));
		pid = find_supervisor(path);
		if (pid != 0)
			return complain(sentence, -EALREADY, "already running (pid %d)", (int)pid);
		if (waited_ms >= patience_ms)
			return complain(sentence, -ETIMEDOUT,
			                "%s: processes of an earlier instance do not end", path);
		if (!moaned && waited_ms >= LOCK_MOANS_AFTER_MS) {
			log_info("waiting", "runtime_dir=\"%s\" for=\"processes of an earlier instance\"",
			         path);
			moaned = true;
		}
		/* flock(2) has no deadline, and what ends here sends no signal. */
		nanosleep(&pause, NULL);
	}
}

void
runtime_dir_unlock(const char *path, int *fd)
{
	char name[PATH_MAX];

	if (*fd < 0)
		return;
	unlink(join(path, RUNTIME_DIR_LOCK, name));
	fd_close(fd);
}

/* --- files ------------------------------------------------------------------------------------ */

int
runtime_dir_write_pid(const char *path, struct buf *sentence)
{
	char name[PATH_MAX], next[PATH_MAX], text[32];
	int error = 0, fd;

	join(path, RUNTIME_DIR_PID_FILE, name);
	join(path, RUNTIME_DIR_PID_FILE ".new", next);
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	unlink(next);
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return complain(sentence, -errno, "%s: %s", next, strerror(errno));
	if (fchmod(fd, 0644) < 0)
		error = -errno;
	if (!error)
		error = fd_write_all(fd, text, strlen(text));
	if (!error && rename(next, name) < 0)
		error = -errno;
	fd_close(&fd);
	if (error) {
		complain(sentence, error, "%s: %s", name, strerror(-error));
		unlink(next);
	}
	return error;
}

void
runtime_dir_clear(const char *path, bool with_control_socket, bool with_worker_sockets)
{
	char name[PATH_MAX];

	if (with_control_socket)
		unlink(join(path, CONTROL_SOCKET_NAME, name));
	unlink(join(path, RUNTIME_DIR_PID_FILE, name));
	unlink(join(path, RUNTIME_DIR_PID_FILE ".new", name));
	for (int i = 1; with_worker_sockets && i <= INSTANCE_WORKERS_MAX; i++) {
		snprintf(name, sizeof(name), "%s/worker-%d.sock", path, i);
		unlink(name);
	}
}
