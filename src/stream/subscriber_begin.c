/* How a subscriber begins: at places that are being found, and with what has to be told before. */
#include <errno.h>

#include "stream/subscriber_state.h"

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

/* Whether it says by itself in which file it begins. */
static bool
names_its_file(const struct start *start)
{
	return start->kind == START_CURSOR || start->kind == START_OLDEST;
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
		/* (Who says where he begins may be led to what was emptied by what leads there, and not to
		 * its copy: that is known when he has begun.) */
		if (!names_its_file(&b->start) && subscriber_find_until(s, i) < 0) {
			result = -EAGAIN;
			continue;
		}
		if (b->progress[i].in && b->progress[i].in->state == GENERATION_LOST) {
			if (!names_its_file(&b->start)) {
				/* Nothing can be found in it any more: that is told as it is left behind. */
				place_init(&s->places[i], b->progress[i].in);
				continue;
			}
			b->progress[i].in = NULL;
		}
		error = s->channel->key.kind->resolve(&b->start, (enum cursor_file)i, s->channel->sources[i],
		                                       s->channel->hub->offload, &b->progress[i],
		                                       &s->places[i], &b->gaps[i]);
		if (error && error != -EAGAIN)
			s->channel->sources[i]->tell = true; /* tried again after a look */
		if (error) {
			result = error;
			continue;
		}
		b->gaps[i].stream = channel_file_name(s->channel, (enum cursor_file)i);
		distrust_blocks(s, i);
	}
	return result;
}

bool
subscriber_find_places(struct subscriber *s)
{
	if (!s->start || find_places(s) == 0)
		return true;
	channel_park(s->channel, &s->stream);
	return false;
}

bool
subscriber_is_still_the_end(struct subscriber *s)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct place *p = &s->places[i];

		if (s->start->gaps[i].reason || !place_is_last(p) || p->generation->state != GENERATION_LIVE)
			return false;
	}
	return s->channel->run->is_terminal;
}

bool
subscriber_is_fresh(struct subscriber *s)
{
	bool fresh = true;

	for (int i = 0; i < CURSOR_FILES; i++)
		if (s->channel->followers[i])
			fresh &= source_is_fresh(s->channel->sources[i], s->start->progress[i].asked);
	return fresh;
}

bool
subscriber_put_first_gaps(struct subscriber *s, const struct event_id *id, struct buf *text)
{
	struct event_run run = channel_event_run(s->channel);
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
		hub_count_gap(s->channel->hub, gap.reason);
		event_put_gap(text, left == 0 ? id : NULL, &run, &gap);
	}
	for (int i = 0; i < CURSOR_FILES; i++)
		s->start->gaps[i].reason = NULL;
	return true;
}
