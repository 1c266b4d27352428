#include "worker/stream_parameters.h"

#include <errno.h>
#include <string.h>

#include "model/entry_id.h"
#include "stream/message_start.h"
#include "worker/worker_state.h"

/* Longest number of lines that ?tail= may ask for: more than any file has. */
#define MOST_TAIL_LINES UINT64_C(1000000000000)

bool
stream_parameters_files(struct connection *c, unsigned *ret_files)
{
	struct target_text text;
	int found = parameters_text(c, "streams", &text);

	*ret_files = CHANNEL_BOTH;
	if (found <= 0)
		return found == 0;
	if (cursor_parse_files(text.text, ret_files) < 0) {
		parameters_refuse(c, "streams", "must be stdout, stderr, or both with a comma");
		return false;
	}
	return true;
}

bool
stream_parameters_wait(struct connection *c, int64_t *ret_wait_ms)
{
	uint64_t wait_s = 0, most_wait_s = (uint64_t)c->worker->settings.api.sse.max_wait_s;

	if (parameters_number(c, "wait_s", 0, UINT32_MAX, &wait_s) < 0)
		return false;
	*ret_wait_ms = (int64_t)(wait_s < most_wait_s ? wait_s : most_wait_s) * 1000;
	return true;
}

/* ?from=: *ret_from is set if it is there. */
static bool
take_from(struct connection *c, enum feed_from *ret_from)
{
	struct target_text text;
	int found = parameters_text(c, "from", &text);

	if (found <= 0)
		return found == 0;
	if (strcmp(text.text, "end") == 0) {
		*ret_from = FEED_FROM_NOW;
	} else if (strcmp(text.text, "start") == 0) {
		*ret_from = FEED_FROM_START;
	} else {
		parameters_refuse(c, "from", "must be start or end");
		return false;
	}
	return true;
}

static bool
take_range(struct connection *c, enum feed_from *from, uint64_t *tail)
{
	int found;

	if (!take_from(c, from))
		return false;
	found = parameters_number(c, "tail", 0, MOST_TAIL_LINES, tail);
	if (found > 0)
		*from = FEED_FROM_TAIL;
	return found >= 0;
}

/* The header wins over the parameter, which is there for those who cannot set headers. True if
 * there is an id; one that is not well encoded is the id "". */
static bool
find_id(const struct connection *c, struct target_text *ret_id)
{
	const char *header = request_variable(c->request, "HTTP_LAST_EVENT_ID");
	int found;

	if (*header) {
		*ret_id = (struct target_text){ .text = header, .length = strlen(header) };
		return true;
	}
	found = target_query(&c->request->target, "last_event_id", ret_id);
	if (found == -EINVAL)
		*ret_id = (struct target_text){ .text = "", .length = 0 };
	return found == -EINVAL || (found == 0 && ret_id->length > 0);
}

/* 0, or -EINVAL: it cannot be one of this kind's. */
static int
take_log_id(const struct target_text *id, struct start *start)
{
	start->kind = START_CURSOR;
	return id->length > 0 ? cursor_parse(id->text, id->length, &start->cursor) : -EINVAL;
}

static int
take_seq(const struct target_text *text, struct start *start)
{
	struct entry_id id;

	entry_id_parse(text->text, text->length, &id);
	start->kind = START_CURSOR;
	start->cursor.is_end = id.is_end;
	return entry_id_number(&id, &start->cursor.files[0].lines);
}

static int
take_offset(const struct target_text *text, struct start *start)
{
	struct cursor_mark *mark = &start->cursor.files[0].mark;
	struct entry_id id;
	uint64_t offset;

	entry_id_parse(text->text, text->length, &id);
	if (entry_id_number(&id, &offset) < 0 || (id.has_mark && id.mark.offset != offset))
		return -EINVAL;
	*mark = id.mark;
	mark->offset = offset;
	start->cursor.files[0].has_mark = id.has_mark;
	start->cursor.is_end = id.is_end;
	start->kind = id.has_mark ? START_CURSOR : START_OFFSET;
	return 0;
}

static int
take_msg_id(const struct target_text *text, struct start *start)
{
	struct entry_id id;

	entry_id_parse(text->text, text->length, &id);
	if (id.name_length == 0 || id.name_length > START_MSG_ID_BYTES)
		return -EINVAL;
	memcpy(start->msg_id, id.name, id.name_length);
	start->msg_id[id.name_length] = '\0';
	start->cursor.files[0].has_mark = id.has_mark && id.has_lines;
	start->cursor.files[0].mark = id.mark;
	start->cursor.files[0].lines = id.lines;
	start->kind = START_CURSOR;
	return 0;
}

/* An id wins over everything else: it says where the client is. */
static void
take_id(struct connection *c, const struct stream_kind *kind, struct start *start)
{
	struct start invalid = { .kind = START_BEGINNING, .is_cursor_invalid = true };
	struct target_text id;
	int error;

	if (!find_id(c, &id))
		return;
	*start = (struct start){ 0 };
	if (kind->is_of_bus) {
		invalid.kind = START_TAIL;
		invalid.tail_lines = MESSAGE_START_TAIL;
		error = take_msg_id(&id, start);
	} else if (kind->is_of_events) {
		error = take_seq(&id, start);
	} else if (kind->names_files) {
		error = take_log_id(&id, start);
	} else {
		error = take_offset(&id, start);
	}
	if (error)
		*start = invalid;
}

bool
stream_parameters_start(struct connection *c, const struct stream_kind *kind, struct start *start)
{
	static const enum start_kind starts[] = {
		[FEED_FROM_NOW] = START_END,
		[FEED_FROM_TAIL] = START_TAIL,
		[FEED_FROM_START] = START_BEGINNING,
	};
	enum feed_from from = start->kind == START_TAIL ? FEED_FROM_TAIL : FEED_FROM_START;

	if (!take_range(c, &from, &start->tail_lines))
		return false;
	start->kind = starts[from];
	take_id(c, kind, start);
	return true;
}

bool
stream_parameters_of_many(struct connection *c, struct feed_request *request,
                          struct feed_id *ret_id)
{
	struct target_text id;

	if (!take_range(c, &request->from, &request->tail_entries))
		return false;
	if (find_id(c, &id)) {
		request->is_after_invalid = feed_id_parse(id.text, id.length, ret_id) < 0;
		request->after = request->is_after_invalid ? NULL : ret_id;
	}
	return true;
}
