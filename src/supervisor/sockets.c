#include "supervisor/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

enum {
	BACKLOG = 4096,
	FIRST_PASSED_FD = 3, /* SD_LISTEN_FDS_START */
};

#define CONTROL_NAME "control"

/* --- sockets that were handed over ------------------------------------------------------------ */

static bool
variable_is(const char *name, uint64_t *ret_value)
{
	const char *text = getenv(name);

	return text && num_parse_u64(text, strlen(text), ret_value) == 0;
}

/* Makes one of them ours. 0, or -errno and a sentence. */
static int
take(int fd, int expected_type, struct buf *sentence)
{
	int listens = 0, type = 0;
	socklen_t length = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || !listens ||
	    type != expected_type) {
		buf_printf(sentence, "descriptor %d (LISTEN_FDS): not a listening %s socket", fd,
		           expected_type == SOCK_STREAM ? "stream" : "sequential packet");
		return -EINVAL;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return fd_set_nonblocking(fd);
}

/* Whether the first of the names, which are separated by colons, is this one; goes on to the next. */
static bool
name_is(const char **names, const char *name)
{
	size_t length = strcspn(*names, ":");
	bool is = length == strlen(name) && strncmp(*names, name, length) == 0;

	*names += length;
	if (**names == ':')
		(*names)++;
	return is;
}

static int
complain_of_number(struct buf *sentence)
{
	buf_printf(sentence, "LISTEN_FDS: more than %d sockets", INSTANCE_WORKERS_MAX);
	return -EINVAL;
}

/* With the names of the sockets, as the variable has them. */
static int
take_all(uint64_t count, const char *names, struct sockets *ret_sockets, int *ret_control_fd,
         struct buf *sentence)
{
	struct sockets sockets = { .count = 0 };
	int control_fd = -1;

	if (count > INSTANCE_WORKERS_MAX + 1)
		return complain_of_number(sentence);
	for (uint64_t i = 0; i < count; i++) {
		int fd = FIRST_PASSED_FD + (int)i, error;
		bool is_control = name_is(&names, CONTROL_NAME);

		if (is_control && control_fd >= 0) {
			buf_puts(sentence, "LISTEN_FDNAMES: more than one \"" CONTROL_NAME "\"");
			return -EINVAL;
		}
		error = take(fd, is_control ? SOCK_SEQPACKET : SOCK_STREAM, sentence);
		if (error)
			return error;
		if (is_control) {
			control_fd = fd;
			continue;
		}
		if (sockets.count == INSTANCE_WORKERS_MAX)
			return complain_of_number(sentence);
		sockets.fds[sockets.count++] = fd;
	}
	sockets.outlive_us = sockets.count > 0;
	*ret_sockets = sockets;
	*ret_control_fd = control_fd;
	return 0;
}

int
sockets_take(struct sockets *ret_sockets, int *ret_control_fd, struct buf *sentence)
{
	const char *names = getenv("LISTEN_FDNAMES");
	uint64_t pid = 0, count = 0;
	int error;

	if (!variable_is("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
	    !variable_is("LISTEN_FDS", &count))
		count = 0;
	error = take_all(count, names ? names : "", ret_sockets, ret_control_fd, sentence);
	/* Not for those whom we start. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return error;
}

/* --- sockets of our own ----------------------------------------------------------------------- */

/* Makes the name and gives it its owner and mode, all before anybody can connect. */
static int
bind_to(int fd, const char *path, mode_t mode, gid_t group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	umask(mask);
	if (!error && group != (gid_t)-1 && lchown(path, (uid_t)-1, group) < 0)
		error = -errno;
	if (!error && chmod(path, mode) < 0)
		error = -errno;
	return error;
}

int
sockets_listen(const char *path, int type, mode_t mode, gid_t group, struct buf *sentence)
{
	int error = 0, fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		error = -errno;
	if (!error && unlink(path) < 0 && errno != ENOENT)
		error = -errno;
	if (!error)
		error = bind_to(fd, path, mode, group);
	if (!error && listen(fd, BACKLOG) < 0)
		error = -errno;
	if (!error)
		return fd;
	buf_printf(sentence, "%s: %s", path, strerror(-error));
	fd_close(&fd);
	return error;
}

int
sockets_make(const char *directory, uint32_t count, mode_t mode, gid_t group,
             struct sockets *ret_sockets, struct buf *sentence)
{
	struct sockets sockets = { .count = 0 };

	for (; sockets.count < count; sockets.count++) {
		char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 32];
		int fd;

		snprintf(path, sizeof(path), "%s/worker-%u.sock", directory, sockets.count + 1);
		fd = sockets_listen(path, SOCK_STREAM, mode, group, sentence);
		if (fd < 0) {
			sockets_close(&sockets);
			return fd;
		}
		sockets.fds[sockets.count] = fd;
	}
	*ret_sockets = sockets;
	return 0;
}

void
sockets_close(struct sockets *sockets)
{
	while (sockets->count > 0)
		fd_close(&sockets->fds[--sockets->count]);
}
