/*
 * Who reads a stream, as its client would: it takes what there is when it is woken, unless it is told to be
 * stuck, and keeps all that it got. stream_fixture.h makes readers and turns the loop under them.
 */
#ifndef TESTS_READER_H
#define TESTS_READER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/kind.h"
#include "stream/stream.h"

enum { READER_EVENTS = 4096 };

struct read_event {
	char id[STREAM_ID_BYTES + 1];
	char name[16];
	struct json_object *data; /* owned by its reader */
};

struct fixture;

struct reader {
	struct fixture *fixture;
	struct stream *stream;
	bool is_awake, is_over, is_nothing_more;
	size_t count;
	struct read_event events[READER_EVENTS];
	char last_id[STREAM_ID_BYTES + 1];
	/* A reader that does not take what there is: until it is told to. */
	bool is_stuck;
	size_t blocks_left; /* gets stuck behind so many; 0: no such limit */
};

/* Its stream has something for it; arg: the reader. */
void reader_wake(void *arg);
/* Takes what there is. Asserts that each event is whole. */
void reader_take(struct reader *r);
/* Whether it has something to take. */
bool reader_is_busy(const struct reader *r);

/* All log events so far of a stream ("stdout"), joined: "line\n" for whole ones, "line|" for
 * parts. Borrowed until the next call. */
const char *reader_lines(struct reader *r, const char *stream);
size_t reader_count(const struct reader *r, const char *name);
/* Borrowed; fails if there is none. */
const struct read_event *reader_event(const struct reader *r, const char *name, size_t index);

/* Of one event: "", -999 and false where it has no such key. */
const char *event_text(const struct read_event *e, const char *key);
int64_t event_number(const struct read_event *e, const char *key);
bool event_flag(const struct read_event *e, const char *key);

#endif
