#include "store/trail_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "model/trail.h"

enum {
	NAME_BYTES = 6 + 16 + 1 + 16,
	MOST_SEGMENTS = 65536,
	AT_REST_S = 60, /* a segment that was not written to for so long is not being written */
	MOST_BYTES = 256 * 1024 * 1024, /* more is no segment of ours */
};

static void
format_name(uint64_t trail, uint64_t first_tick, char ret_name[static NAME_BYTES + 1])
{
	snprintf(ret_name, NAME_BYTES + 1, "trail-%016" PRIx64 "-%016" PRIx64, trail, first_tick);
}

static bool
parse_name(const char *name, uint64_t *ret_trail, uint64_t *ret_first_tick)
{
	static const char opening[] = "trail-";
	char again[NAME_BYTES + 1], *end;

	if (strlen(name) != NAME_BYTES || strncmp(name, opening, sizeof(opening) - 1) != 0)
		return false;
	*ret_trail = strtoull(name + sizeof(opening) - 1, &end, 16);
	*ret_first_tick = *end == '-' ? strtoull(end + 1, NULL, 16) : 0;
	/* Whatever was read of something else is written otherwise. */
	format_name(*ret_trail, *ret_first_tick, again);
	return strcmp(name, again) == 0;
}

int
trail_dir_create(int dir_fd, uint64_t trail, uint64_t first_tick)
{
	char name[NAME_BYTES + 1];
	int fd;

	format_name(trail, first_tick, name);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int
open_list(int dir_fd, DIR **ret_list)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list;

	if (fd < 0)
		return -errno;
	list = fdopendir(fd);
	if (!list) {
		int error = -errno;

		fd_close(&fd);
		return error;
	}
	*ret_list = list;
	return 0;
}

/* Never waits for the other end of what is a pipe. */
static int
open_file(int dir_fd, const char *name, int flags, int *ret_fd)
{
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno; /* it was there just now */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		return -EBADMSG;
	}
	*ret_fd = fd;
	return 0;
}

int
trail_dir_open(int dir_fd, uint64_t trail, uint64_t tick, uint64_t *ret_first_tick, int *ret_fd)
{
	uint64_t of_trail, first_tick, best = 0;
	char name[NAME_BYTES + 1];
	struct dirent *entry;
	bool is_found = false;
	DIR *list = NULL;
	int error = open_list(dir_fd, &list);

	*ret_first_tick = tick;
	if (!list)
		return error;
	while ((entry = readdir(list)) != NULL)
		if (parse_name(entry->d_name, &of_trail, &first_tick) && of_trail == trail &&
		    first_tick <= tick && (!is_found || first_tick > best)) {
			best = first_tick;
			is_found = true;
		}
	closedir(list);
	if (!is_found)
		return -ENOENT;
	*ret_first_tick = best;
	format_name(trail, best, name);
	return open_file(dir_fd, name, O_RDONLY, ret_fd);
}

/* --- pruning -------------------------------------------------------------------------------------------- */

struct segment {
	char name[NAME_BYTES + 1];
	int64_t written_ms;
	uint64_t bytes;
};

static bool
is_at_rest(const struct segment *s, const struct trail_dir_limits *limits)
{
	return limits->wall_ms - s->written_ms > AT_REST_S * 1000;
}

static int
by_time(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->written_ms < y->written_ms ? -1 : x->written_ms > y->written_ms;
}

static int
list_segments(int dir_fd, struct segment *segments, size_t *ret_count)
{
	uint64_t trail, first_tick;
	struct dirent *entry;
	size_t count = 0;
	DIR *list = NULL;
	int error = open_list(dir_fd, &list);

	if (!list)
		return error;
	while (count < MOST_SEGMENTS && (entry = readdir(list)) != NULL) {
		struct segment *s = &segments[count];
		struct stat st;

		if (!parse_name(entry->d_name, &trail, &first_tick) ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		memcpy(s->name, entry->d_name, sizeof(s->name));
		s->written_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		s->bytes = (uint64_t)st.st_size;
		count++;
	}
	closedir(list);
	*ret_count = count;
	return 0;
}

/* Where the first batch ends, or 0. */
static uint64_t
first_batch_end(int fd)
{
	size_t at = TRAIL_HEADER_BYTES, length;
	struct trail_batch batch;
	uint64_t trail, first_tick, end = 0;
	char *bytes;

	if (fd_read_all(fd, MOST_BYTES, &bytes, &length) < 0)
		return 0;
	if (trail_read_header(bytes, length, &trail, &first_tick) == 0 &&
	    trail_next_batch(bytes, length, &at, &batch))
		end = at;
	free(bytes);
	return end;
}

/* Bytes given back. The time of its last writing is kept: by it, it grows old. */
static uint64_t
shorten(int dir_fd, const struct segment *s)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                     { .tv_sec = s->written_ms / 1000,
		                       .tv_nsec = s->written_ms % 1000 * 1000000 } };
	uint64_t end, given = 0;
	int fd;

	if (open_file(dir_fd, s->name, O_RDWR, &fd) < 0)
		return 0;
	end = first_batch_end(fd);
	if (end > 0 && end < s->bytes && ftruncate(fd, (off_t)end) == 0) {
		given = s->bytes - end;
		futimens(fd, times);
	}
	fd_close(&fd);
	return given;
}

int
trail_dir_prune(int dir_fd, const struct trail_dir_limits *limits, struct trail_dir_pruned *ret_pruned)
{
	struct segment *segments = calloc(MOST_SEGMENTS, sizeof(*segments));
	struct trail_dir_pruned pruned = { 0 };
	size_t count = 0, first = 0;
	int error = segments ? list_segments(dir_fd, segments, &count) : -ENOMEM;

	if (error) {
		free(segments);
		return error;
	}
	qsort(segments, count, sizeof(*segments), by_time);
	for (size_t i = 0; i < count; i++)
		pruned.left_bytes += segments[i].bytes;
	for (; first < count && limits->wall_ms - segments[first].written_ms > limits->retention_s * 1000;
	     first++) {
		unlinkat(dir_fd, segments[first].name, 0);
		pruned.left_bytes -= segments[first].bytes;
		pruned.removed++;
	}
	for (size_t i = first; i < count && pruned.left_bytes > limits->most_bytes; i++) {
		uint64_t given = 0;

		if (is_at_rest(&segments[i], limits))
			given = shorten(dir_fd, &segments[i]);
		segments[i].bytes -= given;
		pruned.left_bytes -= given;
		pruned.shortened += given > 0;
	}
	for (; first < count && pruned.left_bytes > limits->most_bytes &&
	       is_at_rest(&segments[first], limits);
	     first++) {
		unlinkat(dir_fd, segments[first].name, 0);
		pruned.left_bytes -= segments[first].bytes;
		pruned.removed++;
	}
	pruned.left = (uint32_t)(count - first);
	free(segments);
	*ret_pruned = pruned;
	return 0;
}
