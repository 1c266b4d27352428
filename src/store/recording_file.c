#include "store/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "model/event_line.h"
#include "store/recording.h"
#include "store/run_dir.h"

enum {
	READ_BYTES = 256 * 1024,
	TAIL_BYTES = 4096,        /* read at once when the last newline is looked for */
	REOPENS = 16,
	LOCK_PAUSE_US = 20,       /* doubled up to */
	LOCK_PAUSE_MOST_US = 1000,
	TORN_PAUSE_US = 10000,
	TORN_MOST_MS = 1000,      /* somebody who goes on writing without a newline has so long */
	/* Blanks that may stand before an event, and leave it an event. */
	BLANKS_BYTES = EVENT_LINE_BYTES - EVENT_SENT_BYTES,
};

static void
pause_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

int
recording_lock(int fd)
{
	int64_t until_ms = clock_now_ms() + RECORDING_LOCK_MS;
	long us = LOCK_PAUSE_US;

	/* Not LOCK_EX alone: a lock that somebody keeps would keep a helper thread for good. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (clock_now_ms() >= until_ms)
			return -EBUSY;
		pause_us(us);
		if (us < LOCK_PAUSE_MOST_US)
			us *= 2;
	}
	return 0;
}

static int64_t
read_at(int fd, void *to, size_t length, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, to, length, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* --- the tail ----------------------------------------------------------------------------------- */

static int
learn_size(struct recording_file *file)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->size_bytes = (uint64_t)st.st_size;
	return 0;
}

/* Finds the end of the last whole line. */
static int
find_end(struct recording_file *file, bool *ret_is_blank)
{
	uint64_t at = file->size_bytes;
	char bytes[TAIL_BYTES];
	bool is_blank = true;

	while (at > 0) {
		size_t length = at < sizeof(bytes) ? (size_t)at : sizeof(bytes), behind = 0;
		int64_t n = read_at(file->fd, bytes, length, at - length);
		const char *newline;

		if (n < 0)
			return (int)n;
		if ((size_t)n < length)
			return -EBUSY; /* shorter than it was: somebody else is at it */
		newline = memrchr(bytes, '\n', length);
		if (newline)
			behind = (size_t)(newline - bytes) + 1;
		for (size_t i = behind; i < length; i++)
			is_blank = is_blank && bytes[i] == ' ';
		at -= length - behind;
		if (newline)
			break;
	}
	file->end_bytes = at;
	*ret_is_blank = is_blank;
	return 0;
}

/*
 * Takes away what a torn line left, and leaves blanks, which JSON does not mind before a value:
 * the next line begins behind them. So the file only ever grows, and line ends are where they
 * were: for those who read it meanwhile it has not become another file.
 */
static int
blank(struct recording_file *file)
{
	int flags = fcntl(file->fd, F_GETFL), error = 0;
	char blanks[TAIL_BYTES];

	if (file->size_bytes - file->end_bytes > BLANKS_BYTES) {
		/* None of ours is so long. */
		if (ftruncate(file->fd, (off_t)file->end_bytes) < 0)
			return -errno;
		file->size_bytes = file->end_bytes;
		return 0;
	}
	memset(blanks, ' ', sizeof(blanks));
	/* With O_APPEND, pwrite(2) would append. */
	if (flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_APPEND) < 0)
		return -errno;
	for (uint64_t at = file->end_bytes; at < file->size_bytes && !error;) {
		uint64_t length = file->size_bytes - at;
		ssize_t n;

		n = pwrite(file->fd, blanks, length < sizeof(blanks) ? (size_t)length : sizeof(blanks),
		           (off_t)at);
		if (n < 0 && errno != EINTR)
			error = -errno;
		if (n > 0)
			at += (uint64_t)n;
	}
	if (fcntl(file->fd, F_SETFL, flags) < 0 && !error)
		error = -errno;
	return error;
}

/* What stands behind the last whole line, if it is an event already, gets its newline: somebody
 * left it out, or was killed just before it, and who reads has maybe seen the event by now. */
static int
end_event(struct recording_file *file, bool *ret_is_ended)
{
	size_t length = (size_t)(file->size_bytes - file->end_bytes);
	char *line;
	int64_t n;
	int error = 0;

	*ret_is_ended = false;
	if (file->size_bytes - file->end_bytes > EVENT_LINE_BYTES)
		return 0;
	line = malloc(length);
	if (!line)
		return -ENOMEM;
	n = read_at(file->fd, line, length, file->end_bytes);
	if (n < 0 || (size_t)n < length) {
		error = n < 0 ? (int)n : -EBUSY;
	} else if (event_line_is_whole(line, length)) {
		ssize_t written;

		do
			written = write(file->fd, "\n", 1);
		while (written < 0 && errno == EINTR);
		error = written < 0 ? -errno : 0;
		*ret_is_ended = true;
	}
	free(line);
	return error ? error : learn_size(file);
}

/* A tail that nobody goes on with becomes an event, or nothing. */
static int
end_tail(struct recording_file *file)
{
	bool is_ended;
	int error = end_event(file, &is_ended);

	if (error)
		return error;
	if (!is_ended)
		return blank(file);
	file->end_bytes = file->size_bytes;
	return 0;
}

/*
 * A last line without newline: one of us was killed, or a program that writes without the lock is
 * in the middle of it. The latter goes on before long. What does not is ended at once, also
 * where nothing will be appended: so it is waited for once.
 */
static int
settle(struct recording_file *file)
{
	int64_t until_ms = clock_now_ms() + TORN_MOST_MS, rested_ms = clock_now_ms();
	bool is_blank;
	int error;

	for (;;) {
		uint64_t size_bytes = file->size_bytes;

		error = find_end(file, &is_blank);
		if (error)
			return error;
		if (file->end_bytes == file->size_bytes)
			return 0;
		if (is_blank)
			return file->size_bytes - file->end_bytes > BLANKS_BYTES ? blank(file) : 0;
		while (file->size_bytes == size_bytes) {
			if (clock_now_ms() - rested_ms >= RECORDING_TORN_MS)
				return end_tail(file);
			pause_us(TORN_PAUSE_US);
			error = learn_size(file);
			if (error)
				return error;
		}
		rested_ms = clock_now_ms();
		if (rested_ms > until_ms)
			return -EBUSY;
	}
}

/* --- opening and appending ---------------------------------------------------------------------- */

int
recording_file_open(int dir_fd, const char *name, struct recording_file *ret_file)
{
	struct recording_file file;
	struct stat st;
	int error;

	for (int i = 0; i < REOPENS; i++) {
		error = run_dir_open_append(dir_fd, name, &file.fd);
		if (error)
			return error;
		error = recording_lock(file.fd);
		if (!error)
			error = learn_size(&file);
		/* It may have been rotated away while the lock was waited for. */
		if (!error && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == file.inode && st.st_dev == file.device) {
			error = settle(&file);
			if (!error) {
				*ret_file = file;
				return 0;
			}
		}
		fd_close(&file.fd);
		if (error)
			return error;
	}
	return -EBUSY;
}

void
recording_file_unlock(struct recording_file *file)
{
	(void)flock(file->fd, LOCK_UN);
}

void
recording_file_close(struct recording_file *file)
{
	fd_close(&file->fd);
}

size_t
recording_file_append(struct recording_file *file, const char *lines, size_t length, int *ret_error)
{
	const char *newline;
	ssize_t n;

	*ret_error = 0;
	do
		n = write(file->fd, lines, length);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		*ret_error = -errno;
		return 0;
	}
	if ((size_t)n < length) {
		/* The disk is full, most likely. Whole lines stay: they may have been read by now. */
		*ret_error = -ENOSPC;
		newline = memrchr(lines, '\n', (size_t)n);
		length = newline ? (size_t)(newline - lines) + 1 : 0;
		if (learn_size(file) == 0 && file->size_bytes >= (size_t)n - length) {
			file->end_bytes = file->size_bytes - ((size_t)n - length);
			(void)blank(file); /* else the next one does it */
		}
	}
	return length;
}

int
recording_file_sync(const struct recording_file *file)
{
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

int
recording_file_lines(int fd, uint64_t from, uint64_t to, recording_line_fn *fn, void *arg,
                     uint64_t *ret_offset)
{
	size_t held = 0; /* bytes of a line whose end is not there yet */
	char *bytes = malloc(EVENT_LINE_BYTES + READ_BYTES);
	uint64_t at = from, done = from;
	bool is_too_long = false;
	int r = bytes ? 0 : -ENOMEM;

	while (r == 0 && at < to) {
		int64_t n = read_at(fd, bytes + held, to - at < READ_BYTES ? (size_t)(to - at) : READ_BYTES, at);
		const char *line = bytes, *end, *newline;

		if (n <= 0) {
			r = (int)n;
			break;
		}
		at += (uint64_t)n;
		end = bytes + held + n;
		while (r == 0 && (newline = memchr(line, '\n', (size_t)(end - line)))) {
			if (is_too_long || newline - line > EVENT_LINE_BYTES)
				r = fn("", 0, arg);
			else
				r = fn(line, (size_t)(newline - line), arg);
			is_too_long = false;
			line = newline + 1;
			done = at - (uint64_t)(end - line);
		}
		held = (size_t)(end - line);
		is_too_long = is_too_long || held > EVENT_LINE_BYTES;
		if (is_too_long)
			held = 0;
		memmove(bytes, line, held);
	}
	free(bytes);
	*ret_offset = done;
	return r;
}
