#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "model/event_line.h"
#include "model/json_scan.h"
#include "model/json_text.h"
#include "store/recording.h"
#include "store/recording_file.h"
#include "store/run_dir.h"

struct reading {
	struct recording_query *query;
	struct buf *answer;
	bool is_full;
};

enum { LINE_TAKEN = 0, ANSWER_FULL = 1 };

static bool
is_wanted(const struct recording_query *query, const char *line, size_t length)
{
	bool is_type = !query->type, is_unit = !query->unit;
	struct json_member member;
	struct json_walk walk;

	if (is_type && is_unit)
		return true;
	if (json_walk_object(line, length, &walk) < 0)
		return false;
	while (json_walk_member(&walk, &member) > 0) {
		if (query->type && json_member_is(&member, "type"))
			is_type = json_value_is(&member.value, query->type, strlen(query->type));
		if (query->unit && json_member_is(&member, "unit"))
			is_unit = json_value_is(&member.value, query->unit, strlen(query->unit));
	}
	return is_type && is_unit;
}

static int
take_line(const char *line, size_t length, void *arg)
{
	struct reading *reading = arg;
	struct recording_query *query = reading->query;
	struct buf *answer = reading->answer;
	size_t start = answer->length_bytes;
	int r;

	query->seq++;
	if (query->seq <= query->after || !is_wanted(query, line, length))
		return LINE_TAKEN;
	if (query->count > 0)
		buf_putc(answer, ',');
	r = event_line_put_object(answer, query->run_id, query->seq, line, length);
	if (r < 0)
		answer->length_bytes = start;
	if (r == -EBADMSG)
		return LINE_TAKEN;
	if (r < 0)
		return r;
	query->count++;
	reading->is_full = query->count >= query->limit || answer->length_bytes >= query->most_bytes;
	return reading->is_full ? ANSWER_FULL : LINE_TAKEN;
}

/* What stands behind the last line end is an event if it is whole. */
static int
take_tail(int fd, uint64_t size_bytes, struct reading *reading)
{
	struct recording_query *query = reading->query;
	size_t length = (size_t)(size_bytes - query->offset);
	char *line;
	int r = 0;

	if (length == 0 || size_bytes - query->offset > EVENT_LINE_BYTES)
		return 0;
	line = malloc(length);
	if (!line)
		return -ENOMEM;
	if (pread(fd, line, length, (off_t)query->offset) == (ssize_t)length &&
	    event_line_is_whole(line, length)) {
		query->offset = size_bytes;
		r = take_line(line, length, reading);
	}
	free(line);
	return r;
}

/* Reads on in the file, at most a slice. *ret_is_over: there is no more, or no room for it. */
static int
read_slice(int fd, uint64_t size_bytes, struct reading *reading, bool *ret_is_over)
{
	struct recording_query *query = reading->query;
	uint64_t from = query->offset, to = from, slice_bytes = RECORDING_READ_SLICE_BYTES;
	int r = 0;

	/* A line that is longer than a slice is read in one. */
	while (r == 0 && query->offset == from && to < size_bytes) {
		to = size_bytes - from > slice_bytes ? from + slice_bytes : size_bytes;
		r = recording_file_lines(fd, from, to, take_line, reading, &query->offset);
		slice_bytes *= 2;
	}
	if (r == 0 && to >= size_bytes)
		r = take_tail(fd, size_bytes, reading);
	*ret_is_over = reading->is_full || to >= size_bytes;
	return r < 0 ? r : 0;
}

int
recording_read(const struct recording *recording, const char *path, struct recording_query *query,
               struct buf *answer)
{
	struct reading reading = { .query = query, .answer = answer };
	bool is_over = true;
	struct stat st = { 0 };
	int dir_fd, fd, error;

	error = run_dir_open(recording->runs_dir_fd, path, &dir_fd);
	if (error)
		return error;
	error = run_dir_open_file(dir_fd, recording->events, &st, &fd);
	fd_close(&dir_fd);
	if (error && error != -ENOENT)
		return error;
	if (!query->is_begun) {
		buf_puts(answer, "{\"run_id\":");
		json_put_string(answer, query->run_id, strlen(query->run_id));
		buf_puts(answer, ",\"events\":[");
		query->is_begun = true;
	}
	if (!error) {
		error = read_slice(fd, (uint64_t)st.st_size, &reading, &is_over);
		fd_close(&fd);
	} else {
		error = 0; /* no events yet */
	}
	if (!error && !is_over)
		return -EAGAIN;
	buf_puts(answer, "],\"next_after\":");
	buf_put_u64(answer, query->seq > query->after ? query->seq : query->after);
	buf_puts(answer, ",\"has_more\":");
	buf_puts(answer, reading.is_full && query->offset < (uint64_t)st.st_size ? "true}" : "false}");
	return error ? error : buf_error(answer);
}
