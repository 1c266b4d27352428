/* A message bus: entries, each of which becomes a message; see model/message_cut.h. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "follow/line_index.h"
#include "model/entry_id.h"
#include "model/message.h"
#include "stream/channel.h"
#include "stream/kind.h"
#include "stream/message_start.h"
#include "stream/pass.h"

enum {
	/* A writer that holds its lock so long without writing is taken for stuck. */
	LOCK_MOST_MS = 10 * 1000,
};

/* Only messages have ids: a reader's position is that of the last one. */
static size_t
format_id(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES])
{
	(void)id;
	(void)ret_text;
	return 0;
}

static int
put_message(struct pass *pass, const struct message *message)
{
	char text[STREAM_ID_BYTES];
	struct event_id id = { .text = text };

	if (pass->job->kind->is_many) {
		id.length = pass_format_id(pass, text);
	} else {
		struct entry_id parts = { .has_lines = true, .lines = pass->lines, .has_mark = true,
			                  .mark = pass_mark(pass) };

		id.length = strlen(message->msg_id);
		memcpy(text, message->msg_id, id.length);
		id.length += entry_id_format_parts(&parts, text + id.length);
	}
	message_put_event(pass->text, &id, message);
	pass->events++;
	return buf_error(pass->text);
}

/* Behind what was cut. */
static void
move(struct pass *pass, const struct message_cut *cut)
{
	const uint8_t *bytes = pass_bytes(pass);

	pass->lines += line_index_count_ends(bytes, cut->consumed_bytes);
	pass->is_open = bytes[cut->consumed_bytes - 1] != '\n';
	pass->offset += cut->consumed_bytes;
}

/* An entry that does not say where it belongs belongs where it stands. */
static int
fill_in(char **text, const char *value)
{
	if (*text || !*value)
		return 0;
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static int
take_entry(struct pass *pass, const struct message_cut *cut)
{
	const uint8_t *bytes = pass_bytes(pass);
	uint64_t lines_before = pass->lines;
	struct message message;
	int error = message_parse(bytes, cut, lines_before, &message);

	move(pass, cut);
	if (error == -EBADMSG) {
		pass_count_malformed(pass);
		return 0;
	}
	if (error)
		return error;
	error = fill_in(&message.project_id, pass->job->template->run.project_id);
	if (!error)
		error = fill_in(&message.task_id, pass->job->template->run.task_id);
	if (!error)
		error = put_message(pass, &message);
	message_fini(&message);
	return error;
}

/* What belongs to no entry, or to none that can be told. */
static void
pass_over(struct pass *pass, const struct message_cut *cut)
{
	move(pass, cut);
	if (cut->kind == MESSAGE_CUT_TOO_LONG)
		pass_count_malformed(pass);
}

static int
put_events(struct pass *pass, uint64_t border)
{
	while (pass->offset < pass->end && pass->offset < pass->stop && !pass_is_full(pass)) {
		struct message_cut_limits limits = {
			.is_final = pass->job->is_final && pass_is_all(pass),
			.is_in_line = pass->is_open,
		};
		struct message_cut cut;
		int error = 0;

		if (pass->events > 0 && pass->offset >= border)
			break;
		cut = message_cut_next(pass_bytes(pass), pass_length(pass), &limits);
		switch (cut.kind) {
		case MESSAGE_CUT_ENTRY:
			error = take_entry(pass, &cut);
			break;
		case MESSAGE_CUT_TEXT:
		case MESSAGE_CUT_TOO_LONG:
			pass_over(pass, &cut);
			break;
		case MESSAGE_CUT_UNFINISHED:
			if (pass->generation->state == GENERATION_LIVE)
				return 0; /* its writer is not done, whatever it looks like */
			pass_over(pass, &cut);
			break;
		case MESSAGE_CUT_MORE:
			if (pass_is_all(pass)) {
				pass_note_unfinished(pass);
				return 0;
			}
			error = pass_read_to(pass, pass->end + pass_length(pass));
			/* What was put is sent before more is waited for. */
			if (error && pass->offset > pass->job->places[pass->job->file].offset)
				return 0;
			break;
		}
		if (error)
			return error;
	}
	if (pass->generation->state != GENERATION_LIVE && pass->offset == pass->limit)
		pass->is_open = false; /* the rest of the line does not come any more */
	return 0;
}

/* Its writer holds a lock while it appends an entry. One that takes none is given the time between
 * two looks. */
static bool
is_whole(struct channel *c, const struct generation *g)
{
	int64_t now_ms = clock_now_ms(), rested_ms = now_ms - g->changed_ms;
	int64_t look_ms = c->hub->settings->api.sse.poll_interval_ms;

	if (rested_ms < look_ms) {
		channel_wake_at(c, g->changed_ms + look_ms);
		return false;
	}
	if (rested_ms < LOCK_MOST_MS && g->source->ops->is_being_written &&
	    g->source->ops->is_being_written(g)) {
		channel_wake_at(c, now_ms + look_ms);
		return false;
	}
	return true;
}

const struct stream_kind stream_kind_messages = {
	.is_of_bus = true,
	.has_entries = true,
	.put_events = put_events,
	.format_id = format_id,
	.resolve = message_start_resolve,
	.is_whole = is_whole,
};

const struct stream_kind stream_kind_messages_of_many = {
	.is_many = true,
	.is_of_bus = true,
	.has_entries = true,
	.put_events = put_events,
	.format_id = stream_kind_format_id_of_many,
	.resolve = message_start_resolve,
	.is_whole = is_whole,
};
