#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_flood.h"
#include "base/logfmt.h"

/* A pipe that has room for anything has room for so much, and takes it in one piece: pipe(7). */
enum { LINE_BYTES = PIPE_BUF };

static char process_name[32] = "-";
static enum log_level highest = LOG_LEVEL_INFO;
static struct log_flood flood = { .next_end_ms = INT64_MAX };
static struct log_figures figures;
static uint64_t dropped_untold;
/* Of all above, but for what is set before there are threads. Held while a line is written, which
 * never waits (log_never_wait()). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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
	log_flood_init(&flood);
	figures = (struct log_figures){ .dropped = 0 };
	dropped_untold = 0;
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

bool
log_has_level(enum log_level level)
{
	return level <= highest;
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

struct log_figures
log_figures(void)
{
	struct log_figures now;

	pthread_mutex_lock(&lock);
	now = figures;
	pthread_mutex_unlock(&lock);
	return now;
}

/* --- writing -------------------------------------------------------------------------------------- */

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

/* A closed stderr loses lines as well, but nobody could be told. */
static bool
write_line(const char *line, size_t length)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ENOTSOCK)
		return false;
	/* Where it could not be opened anew, asking first is what there is: see LINE_BYTES. */
	if (poll(&room, 1, 0) == 1 && !(room.revents & POLLOUT))
		return false;
	return room.revents != 0 && write(STDERR_FILENO, line, length) >= 0;
}

static void put_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void __attribute__((format(printf, 3, 0)))
vput_line(enum log_level level, const char *event, const char *format, va_list args)
{
	char line[LINE_BYTES];
	size_t length;

	if (stderr_is_the_journals()) {
		length = (size_t)snprintf(line, sizeof(line), "<%c>role=%s event=%s ",
		                          levels[level].journal_priority, process_name, event);
	} else {
		char now[CLOCK_RFC3339_BYTES];

		clock_format_rfc3339(clock_wall_ms(), now);
		length = (size_t)snprintf(line, sizeof(line), "time=%s level=%s role=%s event=%s ", now,
		                          levels[level].name, process_name, event);
	}
	if (length >= sizeof(line) - 1)
		return;
	length += logfmt_vformat(line + length, sizeof(line) - 1 - length, format, args);
	line[length++] = '\n';
	if (!write_line(line, length)) {
		figures.dropped++;
		dropped_untold++;
	} else if (dropped_untold > 0) {
		uint64_t lines = dropped_untold;

		dropped_untold = 0;
		put_line(LOG_LEVEL_WARNING, "lines_dropped",
		         "lines=%ju reason=\"stderr took no more\"", (uintmax_t)lines);
	}
}

static void
put_line(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vput_line(level, event, format, args);
	va_end(args);
}

/* --- what is written ------------------------------------------------------------------------------ */

static void
tell_floods(int64_t now_ms)
{
	struct log_flood_event e;

	while (log_flood_take(&flood, now_ms, &e))
		put_line(e.level, "more", "of=%s lines=%ju in_s=%jd", e.event, (uintmax_t)e.lines,
		         (intmax_t)(now_ms - e.began_ms + 500) / 1000);
}

void
log_tick(void)
{
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (flood.next_end_ms != INT64_MAX)
		tell_floods(clock_now_ms());
	pthread_mutex_unlock(&lock);
	errno = saved;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	int saved = errno;
	int64_t now_ms;
	va_list args;

	if (!log_has_level(level))
		return;
	now_ms = clock_now_ms();
	pthread_mutex_lock(&lock);
	tell_floods(now_ms);
	if (log_flood_admits(&flood, level, event, now_ms)) {
		va_start(args, format);
		vput_line(level, event, format, args);
		va_end(args);
	} else {
		figures.summarised++;
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

void
log_access(const char *event, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (log_has_level(LOG_LEVEL_INFO)) {
		va_start(args, format);
		pthread_mutex_lock(&lock);
		vput_line(LOG_LEVEL_INFO, event, format, args);
		pthread_mutex_unlock(&lock);
		va_end(args);
	}
	errno = saved;
}
