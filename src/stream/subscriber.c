#include "stream/subscriber.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "follow/indexer.h"
#include "stream/subscriber_state.h"

static const struct stream_ops ops;

int
subscriber_init(struct subscriber *s, struct hub *hub, const struct channel_request *request,
                const struct start *start, stream_wake_fn *wake, void *arg)
{
	struct subscriber_start *beginning = calloc(1, sizeof(*beginning));
	int error;

	*s = (struct subscriber){ .stream = { .ops = &ops, .wake = wake, .arg = arg } };
	if (!beginning)
		return -ENOMEM;
	beginning->start = *start;
	error = channel_get(hub, request, &s->channel);
	if (error) {
		free(beginning);
		return error;
	}
	for (int i = 0; i < CURSOR_FILES; i++)
		beginning->progress[i].asked = s->channel->sources[i]->looks_begun;
	s->start = beginning;
	return 0;
}

int
subscriber_new(struct hub *hub, const struct channel_request *request, const struct start *start,
               stream_wake_fn *wake, void *arg, struct stream **ret_stream)
{
	struct subscriber *s = malloc(sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	error = subscriber_init(s, hub, request, start, wake, arg);
	if (error) {
		free(s);
		return error;
	}
	*ret_stream = &s->stream;
	return 0;
}

void
subscriber_fini(struct subscriber *s)
{
	if (!s->channel)
		return;
	audience_leave(&s->stream);
	for (int i = 0; i < CURSOR_FILES; i++)
		place_fini(&s->places[i]);
	for (int i = 0; i < CURSOR_FILES; i++) {
		generation_unref(&s->behind_copy[i]);
		free(s->left[i]);
		s->left[i] = NULL;
	}
	free(s->start);
	s->start = NULL;
	channel_release(&s->channel);
}

static void
free_it(struct stream *stream)
{
	struct subscriber *s = (struct subscriber *)stream;

	subscriber_fini(s);
	free(s);
}

bool
subscriber_has_begun(const struct subscriber *s)
{
	return !s->start;
}

static const struct stream_kind *
kind_of(const struct subscriber *s)
{
	return s->channel->key.kind;
}

/* --- events of the subscriber's own ------------------------------------------------------------------- */

/* The reader's position, as the id of an event that is no entry's; NULL: the kind has none. */
static const struct event_id *
own_id(const struct subscriber *s, bool is_end, char text[static STREAM_ID_BYTES],
       struct event_id *ret_id)
{
	struct stream_id id = { .places = s->places, .is_end = is_end,
		                .prefix = s->channel->id_prefix };

	*ret_id = (struct event_id){ .text = text, .length = kind_of(s)->format_id(&id, text) };
	return ret_id->length > 0 ? ret_id : NULL;
}

static enum stream_answer
give(struct subscriber *s, struct buf *text, struct block **ret_block)
{
	struct block *block = block_take(text);

	s->given = SUBSCRIBER_GAVE_OTHER;
	if (!block) {
		/* Without memory for an event there is none for the stream; its client comes back. */
		s->is_over = true;
		return STREAM_END;
	}
	*ret_block = block;
	return STREAM_BLOCK;
}

typedef void put_fn(struct buf *to, const struct event_id *id, struct channel *channel);

static enum stream_answer
give_event(struct subscriber *s, put_fn *put, bool is_end, struct block **ret_block)
{
	char id_text[STREAM_ID_BYTES];
	struct event_id id;
	struct buf text = BUF_INIT;

	s->is_over = is_end;
	s->end_version = s->channel->run->version;
	put(&text, own_id(s, is_end, id_text, &id), s->channel);
	return give(s, &text, ret_block);
}

static enum stream_answer
give_status(struct subscriber *s, struct block **ret_block)
{
	enum stream_answer answer = give_event(s, kind_of(s)->put_status, false, ret_block);

	s->given = SUBSCRIBER_GAVE_STATUS;
	return answer;
}

static void
put_gone(struct buf *to, const struct event_id *id, struct channel *channel)
{
	struct event_run run = channel_event_run(channel);

	(void)id;
	event_put_gone(to, &run);
}

static enum stream_answer
give_gap(struct subscriber *s, const struct event_gap *gap, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	char id_text[STREAM_ID_BYTES];
	struct event_id id;
	struct buf text = BUF_INIT;

	hub_count_gap(s->channel->hub, gap->reason);
	event_put_gap(&text, own_id(s, false, id_text, &id), &run, gap);
	return give(s, &text, ret_block);
}

static enum stream_answer
give_failure(struct subscriber *s, int error, struct block **ret_block)
{
	struct buf text = BUF_INIT;

	s->has_failed = true;
	kind_of(s)->put_failure(&text, error);
	return give(s, &text, ret_block);
}

/* All gaps of the beginning in one block. False: there are none. */
static bool
give_first_gaps(struct subscriber *s, enum stream_answer *ret_answer, struct block **ret_block)
{
	char id_text[STREAM_ID_BYTES];
	struct event_id id;
	struct buf text = BUF_INIT;

	if (!subscriber_put_first_gaps(s, own_id(s, false, id_text, &id), &text))
		return false;
	*ret_answer = give(s, &text, ret_block);
	return true;
}

/* --- going on ---------------------------------------------------------------------------------------------------- */

static enum stream_answer
park(struct subscriber *s)
{
	channel_park(s->channel, &s->stream);
	return STREAM_WAIT;
}

static bool
is_at_end(const struct subscriber *s)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		if (!place_is_last(&s->places[i]))
			return false;
	return true;
}

/* Whether the status is to be told (anew). -EAGAIN: that is not known yet. */
static int
owes_status(struct subscriber *s, bool *ret_owes)
{
	uint64_t version = 0;
	bool was_asked;

	/* What was asked for some time ago is the status of then: if that is nothing new, it is asked
	 * for as of now. */
	do {
		int error = 0;

		was_asked = s->status_goal.is_set;
		if (kind_of(s)->status_version)
			error = kind_of(s)->status_version(s->channel, &s->status_goal, &version);
		if (error)
			return error;
		*ret_owes = version != s->status_seen && version != 0;
	} while (was_asked && !*ret_owes);
	if (*ret_owes)
		s->status_seen = version;
	return 0;
}

/* Whether what is left, an entry without its end, has been left for so long that it is not waited
 * for; if only time is missing, has it pass. */
static bool
has_rested(struct subscriber *s)
{
	const struct settings *settings = s->channel->hub->settings;
	int64_t rest_ms = settings->api.sse.terminal_linger_ms, now_ms = clock_now_ms();
	bool rested = true;

	if (rest_ms < settings->api.sse.partial_flush_ms)
		rest_ms = settings->api.sse.partial_flush_ms;
	for (int i = 0; i < CURSOR_FILES; i++) {
		int64_t due_ms = s->places[i].generation->changed_ms + rest_ms;

		if (!s->channel->followers[i] || now_ms >= due_ms)
			continue;
		channel_wake_at(s->channel, due_ms);
		rested = false;
	}
	return rested;
}

/* There are no more entries: what else is there to say? */
static enum stream_answer
next_at_end(struct subscriber *s, struct block **ret_block)
{
	bool at_end = is_at_end(s);

	if (s->stops_at_end && !s->channel->run->is_terminal && (at_end || has_rested(s))) {
		s->is_over = true;
		return STREAM_END;
	}
	/* What a deleted run left unfinished does not come any more. */
	if (channel_is_gone(s->channel))
		return give_event(s, put_gone, true, ret_block);
	if (at_end && kind_of(s)->ends && channel_is_finished(s->channel))
		return give_event(s, kind_of(s)->put_complete, true, ret_block);
	return park(s);
}

static enum stream_answer
next_entries(struct subscriber *s, struct block **ret_block)
{
	uint64_t limits[CURSOR_FILES];
	struct event_gap gap;
	bool owes = false;
	int error, left;

	left = subscriber_advance(s, &gap);
	if (left > 0)
		return give_gap(s, &gap, ret_block);
	if (subscriber_is_read_until(s)) {
		s->is_over = true;
		return STREAM_END;
	}
	error = channel_next_block(s->channel, s->places, subscriber_limits(s, limits), ret_block);
	/* Content found to be other than it was is lost by now. */
	if (error == -ESTALE && left == 0) {
		left = subscriber_advance(s, &gap);
		if (left > 0)
			return give_gap(s, &gap, ret_block);
		if (left == 0)
			error = channel_next_block(s->channel, s->places, subscriber_limits(s, limits), ret_block);
	}
	if (!error) {
		s->given_from = s->places[(*ret_block)->file];
		block_move_place(*ret_block, &s->places[(*ret_block)->file]);
		s->has_read |= 1U << (*ret_block)->file;
		s->has_failed = false;
		s->given = SUBSCRIBER_GAVE_ENTRIES;
		return STREAM_BLOCK;
	}
	if (error != -ENODATA && error != -EAGAIN && error != -ESTALE && kind_of(s)->put_failure &&
	    !s->has_failed)
		return give_failure(s, error, ret_block);
	if (error != -ENODATA || left < 0)
		return park(s);
	if (kind_of(s)->status_waits) {
		if (owes_status(s, &owes) < 0)
			return park(s);
		if (owes)
			return give_status(s, ret_block);
	}
	return next_at_end(s, ret_block);
}

enum stream_answer
subscriber_next(struct subscriber *s, struct block **ret_block)
{
	enum stream_answer answer;
	bool owes = false;

	must(s->channel && !stream_is_waiting(&s->stream));
	if (s->is_over)
		return STREAM_END;
	if (!subscriber_find_places(s))
		return STREAM_WAIT;
	if (s->start && s->start->start.cursor.is_end && subscriber_is_still_the_end(s)) {
		if (subscriber_is_fresh(s) && channel_is_finished(s->channel)) {
			s->is_over = true;
			return STREAM_NOTHING_MORE;
		}
		return park(s);
	}
	if (s->start) {
		/* Before anything with an id, which would say that there is nothing to tell. */
		if (give_first_gaps(s, &answer, ret_block))
			return answer;
		free(s->start);
		s->start = NULL;
	}
	if (s->status_seen == 0 || !kind_of(s)->status_waits) {
		if (owes_status(s, &owes) < 0)
			return park(s);
		if (owes)
			return give_status(s, ret_block);
	}
	return next_entries(s, ret_block);
}

static enum stream_answer
next(struct stream *stream, struct block **ret_block)
{
	return subscriber_next((struct subscriber *)stream, ret_block);
}

static void
progress(const struct stream *stream, struct stream_progress *ret_progress)
{
	const struct subscriber *s = (const struct subscriber *)stream;

	*ret_progress = (struct stream_progress){ .has_lines = true };
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct place *p = &s->places[i];
		const struct generation *g = p->generation;
		bool is_first = true;

		for (; g; g = g->next, is_first = false) {
			uint64_t from = is_first ? p->offset : 0, lines;

			if (g->state == GENERATION_LOST || from >= g->size_bytes)
				continue;
			ret_progress->bytes_behind += g->size_bytes - from;
			if (is_first && indexer_lines_behind(g, p->lines, &lines))
				ret_progress->lines_behind += lines;
			else
				ret_progress->has_lines = false;
		}
	}
	if (ret_progress->bytes_behind == 0)
		ret_progress->has_lines = true;
}

static const struct stream_ops ops = { .next = next, .progress = progress, .free = free_it };
