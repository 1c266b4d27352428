/* A run's recorded events: a line of JSON each, whose number is its seq; and the run's state. */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "follow/state_fold.h"
#include "model/entry_id.h"
#include "model/event_line.h"
#include "stream/channel.h"
#include "stream/kind.h"
#include "stream/pass.h"

/* The seq. */
static size_t
format_id(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES])
{
	struct entry_id parts = { .is_end = id->is_end };
	struct cursor cursor = { 0 };
	size_t length;

	place_to_cursor(&id->places[0], CURSOR_STDOUT, &cursor);
	length = num_format_u64(cursor.files[0].lines, ret_text);
	return length + entry_id_format_parts(&parts, ret_text + length);
}

/* A line of length bytes (without its end) that takes consumed bytes. */
static int
put_line(struct pass *pass, size_t length, size_t consumed)
{
	const char *line = (const char *)pass_bytes(pass);
	uint64_t seq = pass->lines + 1;
	bool has_end = consumed > length, was_finished = pass->is_finished;
	char id_text[STREAM_ID_BYTES];
	struct event_id id = { .text = id_text };
	int error;

	pass->offset += consumed;
	pass->lines += has_end;
	pass->is_open = false;
	pass->is_finished = !has_end;
	if (was_finished && length == 0)
		return 0; /* the end of a line that was taken for whole without it */
	id.length = pass_format_id(pass, id_text);
	error = event_line_put(pass->text, &id, pass->job->template->run.run_id, seq, line, length);
	if (error == -EBADMSG) {
		pass_count_malformed(pass);
		return 0;
	}
	pass->events += !error;
	return error;
}

/* The end of the line at the pass's offset; the line is passed over if it is too long to be an
 * event. -EAGAIN and others as place_read(); 0, and *ret_end NULL: there is none as yet. */
static int
find_line_end(struct pass *pass, const uint8_t **ret_end)
{
	size_t known = 0;

	for (;;) {
		size_t length = pass_length(pass);
		int error;

		*ret_end = memchr(pass_bytes(pass) + known, '\n', length - known);
		if (*ret_end || pass_is_all(pass) || length > EVENT_LINE_BYTES)
			return 0;
		known = length;
		error = pass_read_to(pass, pass->end + length);
		if (error)
			return error;
	}
}

/* What was read of a line that is too long, or of the rest of one. */
static void
pass_over(struct pass *pass, const uint8_t *end)
{
	size_t length = end ? (size_t)(end + 1 - pass_bytes(pass)) : pass_length(pass);

	if (!pass->is_open)
		pass_count_malformed(pass);
	pass->offset += length;
	pass->lines += end != NULL;
	pass->is_open = !end;
	pass->is_finished = false;
}

static int
put_events(struct pass *pass, uint64_t border)
{
	while (pass->offset < pass->end && pass->offset < pass->stop && !pass_is_full(pass)) {
		const uint8_t *at, *end;
		size_t length;
		int error;

		if (pass->events > 0 && pass->offset >= border)
			break;
		error = find_line_end(pass, &end);
		if (error)
			return pass->events > 0 ? 0 : error;
		at = pass_bytes(pass);
		length = end ? (size_t)(end - at) : pass_length(pass);
		if (pass->is_open || length > EVENT_LINE_BYTES) {
			pass_over(pass, end);
			continue;
		}
		if (!end && !pass->job->is_final) {
			pass_note_unfinished(pass);
			break;
		}
		error = put_line(pass, length, end ? length + 1 : length);
		if (error)
			return error;
	}
	if (pass->generation->state != GENERATION_LIVE && pass->offset == pass->limit)
		pass->is_open = false; /* the rest of a line too long does not come any more */
	return 0;
}

/* --- the state ------------------------------------------------------------------------------------------- */

/* Renders the state once for all who ask, as far as it is known. */
static int
render_state(struct channel *c, const struct generation *g)
{
	struct channel_state *rendered = &c->state;
	const struct run_state *state = state_fold_state(g);
	const char *recorded = run_state_status(state);

	buf_clear(&rendered->text);
	/* run-info.yaml is the authority; but what was recorded just now it says a moment later. */
	run_state_put(&rendered->text, state, c->run->run_id,
	              c->run->is_terminal || !recorded ? c->run->status : recorded);
	if (buf_error(&rendered->text))
		return buf_error(&rendered->text);
	if (!rendered->is_known || rendered->generation != g->serial ||
	    rendered->status_serial != c->status_serial || rendered->changes != run_state_changes(state))
		rendered->version++;
	rendered->is_known = true;
	rendered->generation = g->serial;
	rendered->status_serial = c->status_serial;
	rendered->changes = run_state_changes(state);
	return 0;
}

/* Of the file that is there now, as it was when the goal was set: a file that grows all the time is
 * not run after. */
static int
status_version(struct channel *c, struct status_goal *goal, uint64_t *ret_version)
{
	struct source *source = c->sources[0];
	struct generation *g = source->current;
	struct channel_state *rendered = &c->state;
	int error;

	if (!source_is_ready(source))
		return -EAGAIN;
	if (!goal->is_set || goal->generation != g->serial)
		*goal = (struct status_goal){ .is_set = true, .generation = g->serial,
			                      .bytes = g->size_bytes };
	if (!rendered->is_known || rendered->generation != g->serial ||
	    rendered->reached_bytes < goal->bytes || rendered->status_serial != c->status_serial) {
		error = state_fold_reach(c->hub->offload, g, goal->bytes);
		if (error)
			return error;
		rendered->reached_bytes = goal->bytes;
		error = render_state(c, g);
		if (error)
			return error;
	}
	goal->is_set = false;
	*ret_version = rendered->version;
	return 0;
}

static void
put_status(struct buf *to, const struct event_id *id, struct channel *c)
{
	event_begin(to, id, "state");
	buf_append(to, c->state.text.data, c->state.text.length_bytes);
	buf_puts(to, "\n\n");
}

static void
put_complete(struct buf *to, const struct event_id *id, struct channel *c)
{
	struct event_run run = channel_event_run(c);

	event_put_complete(to, id, &run, c->run->status, c->run->exit_code);
}

const struct stream_kind stream_kind_events = {
	.ends = true,
	.is_of_events = true,
	.has_entries = true,
	.put_events = put_events,
	.format_id = format_id,
	.resolve = start_resolve,
	.status_version = status_version,
	.status_waits = true,
	.put_status = put_status,
	.put_complete = put_complete,
};

const struct stream_kind stream_kind_events_of_many = {
	.is_many = true,
	.ends = true,
	.is_of_events = true,
	.has_entries = true,
	.put_events = put_events,
	.format_id = stream_kind_format_id_of_many,
	.resolve = start_resolve,
	.status_version = status_version,
	.status_waits = true,
	.put_status = put_status,
	.put_complete = put_complete,
};
