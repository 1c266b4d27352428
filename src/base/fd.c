#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/must.h"

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int
fd_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is this one, as those below are open. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	}
	return 0;
}

int
fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int
fd_write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int
fd_read_all(int fd, size_t limit, char **ret_text, size_t *ret_length)
{
	size_t length = 0, capacity = limit < 4096 ? limit : 4096;
	char *text = malloc(capacity + 1);

	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		/* Room for one byte above the limit, the terminator's, tells "more" from "end". */
		n = read(fd, text + length, capacity + 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			free(text);
			return (int)n;
		}
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > limit) {
			free(text);
			return -EFBIG;
		}
		if (length >= capacity) {
			char *grown;

			capacity = capacity > limit / 2 ? limit : capacity * 2;
			if (capacity < length)
				capacity = length;
			grown = realloc(text, capacity + 1);
			if (!grown) {
				free(text);
				return -ENOMEM;
			}
			text = grown;
		}
	}
	text[length] = '\0';
	*ret_text = text;
	if (ret_length)
		*ret_length = length;
	return 0;
}

int
fd_send(int socket, const void *bytes, size_t length, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control = { 0 };
	union { const void *from; void *to; } cast = { .from = bytes };
	struct iovec iov = { .iov_base = cast.to, .iov_len = length };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	must(length > 0 && count <= FD_PASS_MAX);
	if (count > 0) {
		struct cmsghdr *c;

		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* A stream socket may take a part; the descriptors went with its first byte. */
	for (size_t sent = (size_t)n; sent < length; sent += (size_t)n) {
		do
			n = send(socket, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
	}
	return 0;
}

ssize_t
fd_receive(int socket, void *bytes, size_t capacity, int *ret_fds, size_t fd_capacity,
           size_t *ret_count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control = { 0 };
	struct iovec iov = { .iov_base = bytes, .iov_len = capacity };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
		                  .msg_controllen = sizeof(control.room) };
	size_t taken = 0;
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (taken < fd_capacity && !(message.msg_flags & MSG_TRUNC))
				ret_fds[taken++] = fd;
			else
				close(fd);
		}
	}
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (ret_count)
		*ret_count = taken;
	return n;
}
