#include "supervisor/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

enum { PATIENCE_S = 1 };

/* 0 or -errno. A name that begins with @ is an abstract one. */
static int
connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	size_t length = strlen(path);
	int fd;

	if (path[0] != '/' && path[0] != '@')
		return -EAFNOSUPPORT;
	if (length < 2 || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
		int error = -errno;

		fd_close(&fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static int64_t
watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value;

	if (pid && (num_parse_u64(pid, strlen(pid), &value) < 0 || value != (uint64_t)getpid()))
		return 0;
	if (!usec || num_parse_u64(usec, strlen(usec), &value) < 0 || value > INT64_MAX)
		return 0;
	return (int64_t)(value / 1000);
}

int
notify_open(struct notify *ret_notify, struct buf *sentence)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct notify notify = { .fd = -1 };
	int error = 0;

	if (path && *path) {
		error = connect_to(path, &notify.fd);
		if (error)
			buf_printf(sentence, "NOTIFY_SOCKET: %s: %s", path, strerror(-error));
		else
			notify.watchdog_ms = watchdog_ms();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*ret_notify = notify;
	return error;
}

void
notify_close(struct notify *notify)
{
	fd_close(&notify->fd);
}

void
notify_send(const struct notify *notify, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	if (notify->fd < 0)
		return;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	/* A manager that was restarted has the same socket again; one message lost is not the end. */
	if (!buf_error(&text))
		(void)!send(notify->fd, text.data, text.length_bytes, MSG_NOSIGNAL);
	buf_fini(&text);
}

void
notify_reloading(const struct notify *notify)
{
	notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now_ns() / 1000);
}
