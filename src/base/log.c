#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static char process_name[32] = "-";
static enum log_level highest = LOG_LEVEL_INFO;

static const struct {
	const char *name;
	char journal_priority; /* syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", '3' },
	[LOG_LEVEL_WARNING] = { "warning", '4' },
	[LOG_LEVEL_INFO] = { "info", '6' },
	[LOG_LEVEL_DEBUG] = { "debug", '7' },
};

void
log_set_process(const char *name)
{
	snprintf(process_name, sizeof(process_name), "%s", name);
}

void
log_never_wait(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return;
	/* Opened anew: O_NONBLOCK on the one we were given would be its other holders' as well (the
	 * shell's, of its terminal). Where that is not permitted, it stays as it is. */
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

void
log_set_level(enum log_level level)
{
	highest = level;
}

int
log_parse_level(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(name, levels[i].name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

/* The variable alone says nothing: every process in a desktop session or a CI job inherits one. */
static bool
stderr_is_the_journals(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	char text[2048], line[sizeof(text) * 2];
	size_t length, to = 0;
	int saved = errno, n;
	va_list args;

	if (level > highest)
		return;
	if (stderr_is_the_journals()) {
		n = snprintf(text, sizeof(text), "<%c>%s %s ", levels[level].journal_priority,
		             process_name, event);
	} else {
		char now[CLOCK_RFC3339_BYTES];

		clock_format_rfc3339(clock_wall_ms(), now);
		n = snprintf(text, sizeof(text), "%s %s %s %s ", now, levels[level].name,
		             process_name, event);
	}
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	length = strlen(text);
	for (size_t i = 0; i < length && to + 5 < sizeof(line); i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x7f)
			to += (size_t)snprintf(line + to, sizeof(line) - to, "\\x%02x", c);
		else
			line[to++] = (char)c;
	}
	line[to++] = '\n';
	/* A full or closed stderr must not stop the service: the line is lost, nothing else. */
	if (send(STDERR_FILENO, line, to, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK &&
	    write(STDERR_FILENO, line, to) < 0)
		errno = saved;
	errno = saved;
}
