#include "stream/message_start.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "follow/message_index.h"
#include "follow/message_search.h"

enum {
	/* What was written less than this ago may be a part of an entry: "from now on" begins before. */
	REST_MS = 200,
};

/* The size when the client came: "the last" are before it. */
static uint64_t
goal_of(struct generation *g, struct start_progress *progress)
{
	if (!progress->has_goal || progress->generation != g->serial) {
		progress->goal_bytes = progress->has_goal ? 0 : g->size_bytes;
		progress->has_goal = true;
		progress->generation = g->serial;
	}
	return progress->goal_bytes;
}

static int
begin_before_end(uint64_t entries, struct generation *g, struct offload *offload,
                 struct start_progress *progress, struct place *ret_place)
{
	uint64_t goal = goal_of(g, progress);
	struct message_position position;
	int error = message_index_reach(offload, g, goal);

	if (!error)
		error = message_index_tail(g, goal, entries, &position);
	return error ? error : start_at(g, position.offset, position.lines, ret_place);
}

static int
begin_behind_id(const char *id, struct generation *g, struct offload *offload,
                struct start_progress *progress, struct place *ret_place)
{
	struct message_position behind;
	int error = message_search(offload, g, id, strlen(id), goal_of(g, progress), &behind);

	return error ? error : start_at(g, behind.offset, behind.lines, ret_place);
}

/* From a place back by some entries. */
static int
go_back(uint64_t entries, struct offload *offload, struct place *place)
{
	struct generation *g = place->generation;
	struct message_position position = { .offset = 0 };
	struct place before = { .generation = NULL };
	int error;

	if (entries == 0)
		return 0;
	error = message_index_reach(offload, g, place->offset);
	if (!error)
		error = message_index_tail(g, place->offset, entries, &position);
	if (!error)
		error = start_at(g, position.offset, position.lines, &before);
	place_fini(place);
	if (!error)
		*place = before;
	return error;
}

/* Behind the mark; where that does not hold, behind the entry itself; where that is not there, with
 * a gap at the last ones. */
static int
begin_at_cursor(const struct start *start, struct source *source, struct offload *offload,
                struct start_progress *progress, struct place *ret_place, struct event_gap *ret_gap)
{
	struct event_gap gap = { .reason = "cursor_invalid" };
	int error;

	if (start->cursor.files[0].has_mark) {
		gap.reason = NULL;
		error = start_at_mark(&start->cursor.files[0].mark, start->cursor.files[0].lines, source,
		                      progress, ret_place, &gap);
		if (!error && !gap.reason)
			error = go_back(start->exact_files ? 0 : start->tail_lines, offload, ret_place);
		if (error || !gap.reason)
			return error;
		place_fini(ret_place);
	}
	/* What this process has not seen yet, another may have shown to the client. */
	if (!source_is_fresh(source, progress->asked))
		return -EAGAIN;
	error = begin_behind_id(start->msg_id, source->current, offload, progress, ret_place);
	if (error != -ENOENT && error != -EINVAL)
		return error;
	error = begin_before_end(MESSAGE_START_TAIL, source->current, offload, progress, ret_place);
	if (!error)
		*ret_gap = gap;
	return error;
}

static bool
is_being_written(const struct generation *g)
{
	int64_t rested_ms = g->size_bytes > g->opened_size_bytes ? clock_now_ms() - g->changed_ms
	                                                         : clock_wall_ms() - g->opened_wall_ms;

	return rested_ms < REST_MS ||
	       (g->source->ops->is_being_written && g->source->ops->is_being_written(g));
}

int
message_start_resolve(const struct start *start, enum cursor_file file, struct source *source,
                      struct offload *offload, struct start_progress *progress,
                      struct place *ret_place, struct event_gap *ret_gap)
{
	struct generation *g = progress->in ? progress->in : source->current;
	struct event_gap gap = { .reason = start->is_cursor_invalid ? "cursor_invalid" : NULL };
	int error = -EINVAL;

	(void)file;
	if (!source_is_ready(source))
		return -EAGAIN;
	switch (start->kind) {
	case START_OLDEST:
		error = start_at_oldest(source, start->since_ms, progress, ret_place, &gap);
		break;
	case START_BEGINNING:
	case START_OFFSET:
	case START_ENDING:
		error = start_at(g, 0, 0, ret_place);
		break;
	case START_END:
		error = begin_before_end(is_being_written(g), g, offload, progress, ret_place);
		break;
	case START_TAIL:
		error = begin_before_end(start->tail_lines, g, offload, progress, ret_place);
		break;
	case START_CURSOR:
		/* A feed's member that comes back has a mark and no id. */
		error = begin_at_cursor(start, source, offload, progress, ret_place, &gap);
		break;
	}
	if (!error)
		*ret_gap = gap;
	return error;
}
