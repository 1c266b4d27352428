#include "stream/subscriber.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"

/* How it begins: gone once both places are found and the gaps, if any, were told. */
struct subscriber_start {
	struct start start;
	struct start_progress progress[CURSOR_FILES];
	struct event_gap gaps[CURSOR_FILES]; /* reason NULL: none to be told */
};

int
subscriber_init(struct subscriber *s, struct hub *hub, const struct registry_run *run,
                unsigned files, const struct start *start, subscriber_wake_fn *wake, void *arg)
{
	struct subscriber_start *beginning = calloc(1, sizeof(*beginning));
	int error;

	*s = (struct subscriber){ .wake = wake, .arg = arg };
	if (!beginning)
		return -ENOMEM;
	beginning->start = *start;
	error = channel_get(hub, run, files, &s->channel);
	if (error) {
		free(beginning);
		return error;
	}
	for (int i = 0; i < CURSOR_FILES; i++)
		beginning->progress[i].asked = s->channel->sources[i]->looks_begun;
	s->start = beginning;
	return 0;
}

void
subscriber_fini(struct subscriber *s)
{
	if (!s->channel)
		return;
	channel_unpark(s->channel, s);
	for (int i = 0; i < CURSOR_FILES; i++)
		place_fini(&s->places[i]);
	free(s->start);
	s->start = NULL;
	channel_release(&s->channel);
}

/* --- events of the subscriber's own ------------------------------------------------------------------- */

static struct event_id
own_id(const struct subscriber *s, bool is_end, char text[static CURSOR_TEXT_BYTES])
{
	struct cursor cursor = { .is_end = is_end };

	for (int i = 0; i < CURSOR_FILES; i++)
		place_to_cursor(&s->places[i], (enum cursor_file)i, &cursor);
	return (struct event_id){ .text = text, .length = cursor_format(&cursor, text) };
}

static enum subscriber_answer
give(struct subscriber *s, struct buf *text, struct block **ret_block)
{
	struct block *block = block_take(text);

	if (!block) {
		/* Without memory for an event there is none for the stream; its client comes back. */
		s->is_over = true;
		return SUBSCRIBER_END;
	}
	*ret_block = block;
	return SUBSCRIBER_BLOCK;
}

static enum subscriber_answer
give_status(struct subscriber *s, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	char id_text[CURSOR_TEXT_BYTES];
	struct event_id id = own_id(s, false, id_text);
	struct buf text = BUF_INIT;

	s->status_seen = s->channel->status_serial;
	event_put_status(&text, &id, &run, s->channel->run->status, s->channel->run->exit_code);
	return give(s, &text, ret_block);
}

static enum subscriber_answer
give_complete(struct subscriber *s, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	char id_text[CURSOR_TEXT_BYTES];
	struct event_id id = own_id(s, true, id_text);
	struct buf text = BUF_INIT;

	s->is_over = true;
	event_put_complete(&text, &id, &run, s->channel->run->status, s->channel->run->exit_code);
	return give(s, &text, ret_block);
}

static enum subscriber_answer
give_gone(struct subscriber *s, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	struct buf text = BUF_INIT;

	s->is_over = true;
	event_put_gone(&text, &run);
	return give(s, &text, ret_block);
}

static enum subscriber_answer
give_gap(struct subscriber *s, const struct event_gap *gap, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	char id_text[CURSOR_TEXT_BYTES];
	struct event_id id = own_id(s, false, id_text);
	struct buf text = BUF_INIT;

	s->channel->hub->gaps++;
	event_put_gap(&text, &id, &run, gap);
	return give(s, &text, ret_block);
}

/* --- beginning ------------------------------------------------------------------------------------------------ */

/* The file at the path does not hold what the client's mark names: perhaps it was rewritten, and
 * nobody looked since. Then what is kept from its start on is of before, and cannot be told
 * from what is there now. */
static void
distrust_blocks(struct subscriber *s, int file)
{
	if (s->start->start.kind == START_CURSOR &&
	    (s->start->gaps[file].reason ||
	     s->places[file].generation != s->channel->sources[file]->current))
		block_cache_purge(&s->channel->blocks);
}

/* 0 once all places are found. */
static int
find_places(struct subscriber *s)
{
	struct subscriber_start *b = s->start;
	int result = 0;

	for (int i = 0; i < CURSOR_FILES; i++) {
		int error;

		if (s->places[i].generation)
			continue;
		if (!s->channel->followers[i]) {
			place_init(&s->places[i], s->channel->sources[i]->current);
			continue;
		}
		error = start_resolve(&b->start, (enum cursor_file)i, s->channel->sources[i],
		                      s->channel->hub->offload, &b->progress[i], &s->places[i],
		                      &b->gaps[i]);
		if (error && error != -EAGAIN)
			s->channel->sources[i]->tell = true; /* tried again after a look */
		if (error) {
			result = error;
			continue;
		}
		b->gaps[i].stream = cursor_file_names[i];
		distrust_blocks(s, i);
	}
	return result;
}

/* Whether the id of a `complete` that it came with still names the end. */
static bool
is_still_the_end(struct subscriber *s)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct place *p = &s->places[i];

		if (s->start->gaps[i].reason || p->offset != p->generation->size_bytes ||
		    p->generation->state != GENERATION_LIVE)
			return false;
	}
	return s->channel->run->is_terminal;
}

static bool
is_fresh(struct subscriber *s)
{
	bool fresh = true;

	for (int i = 0; i < CURSOR_FILES; i++)
		if (s->channel->followers[i])
			fresh &= source_is_fresh(s->channel->sources[i], s->start->progress[i].asked);
	return fresh;
}

/* All gaps of the beginning in one block. The id comes with the last: it names places behind all
 * of them, so whoever has it was told. False: there are none. */
static bool
give_first_gaps(struct subscriber *s, enum subscriber_answer *ret_answer, struct block **ret_block)
{
	struct event_run run = channel_event_run(s->channel);
	char id_text[CURSOR_TEXT_BYTES];
	struct event_id id = own_id(s, false, id_text);
	struct buf text = BUF_INIT;
	int left = 0;

	for (int i = 0; i < CURSOR_FILES; i++)
		left += s->start->gaps[i].reason != NULL;
	if (left == 0)
		return false;
	for (int i = 0; i < CURSOR_FILES && left > 0; i++) {
		struct event_gap gap = s->start->gaps[i];

		s->start->gaps[i].reason = NULL;
		if (!gap.reason)
			continue;
		left--;
		if (s->start->start.is_cursor_invalid) {
			/* One id, one gap. */
			gap.stream = NULL;
			left = 0;
		}
		s->channel->hub->gaps++;
		event_put_gap(&text, left == 0 ? &id : NULL, &run, &gap);
	}
	for (int i = 0; i < CURSOR_FILES; i++)
		s->start->gaps[i].reason = NULL;
	*ret_answer = give(s, &text, ret_block);
	return true;
}

/* --- going on ---------------------------------------------------------------------------------------------------- */

/* Leaves generations that are over behind; true if there is a gap to tell. */
static bool
advance(struct subscriber *s, struct event_gap *ret_gap)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		struct place *p = &s->places[i];

		while (p->generation->state != GENERATION_LIVE) {
			struct generation *g = p->generation;

			if (g->state == GENERATION_LOST) {
				*ret_gap = (struct event_gap){
					.stream = cursor_file_names[i],
					.reason = g->lost_reason,
					.has_from = true,
					.from = p->offset,
					.has_to = p->offset < g->size_bytes,
					.to = g->size_bytes,
				};
				place_advance(p);
				return true;
			}
			if (p->offset < g->size_bytes || p->is_open)
				break;
			place_advance(p);
		}
	}
	return false;
}

static void
take_block(struct subscriber *s, const struct block *block)
{
	struct place *p = &s->places[block->file];

	p->offset = block->offset;
	p->lines = block->lines;
	p->fingerprint = block->fingerprint;
	p->is_open = block->is_open;
	p->is_finished = block->is_finished;
}

static bool
is_at_end(const struct subscriber *s)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		if (s->places[i].offset != s->places[i].generation->size_bytes ||
		    s->places[i].generation->next)
			return false;
	return true;
}

static enum subscriber_answer
park(struct subscriber *s)
{
	channel_park(s->channel, s);
	return SUBSCRIBER_WAIT;
}

static enum subscriber_answer
next_of_log(struct subscriber *s, struct block **ret_block)
{
	struct event_gap gap;
	int error;

	if (advance(s, &gap))
		return give_gap(s, &gap, ret_block);
	error = channel_next_block(s->channel, s->places, ret_block);
	/* Content found to be other than it was is lost by now. */
	if (error == -ESTALE && advance(s, &gap))
		return give_gap(s, &gap, ret_block);
	if (!error) {
		take_block(s, *ret_block);
		return SUBSCRIBER_BLOCK;
	}
	if (error == -ENODATA && is_at_end(s)) {
		if (channel_is_gone(s->channel))
			return give_gone(s, ret_block);
		if (channel_is_finished(s->channel))
			return give_complete(s, ret_block);
	}
	return park(s);
}

enum subscriber_answer
subscriber_next(struct subscriber *s, struct block **ret_block)
{
	enum subscriber_answer answer;

	must(s->channel && !s->is_parked);
	if (s->is_over)
		return SUBSCRIBER_END;
	if (s->start && find_places(s) != 0)
		return park(s);
	if (s->start && s->start->start.cursor.is_end && is_still_the_end(s)) {
		if (is_fresh(s) && channel_is_finished(s->channel)) {
			s->is_over = true;
			return SUBSCRIBER_NOTHING_MORE;
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
	if (s->status_seen != s->channel->status_serial)
		return give_status(s, ret_block);
	return next_of_log(s, ret_block);
}
