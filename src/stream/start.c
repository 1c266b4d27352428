#include "stream/start.h"

#include <errno.h>

#include "follow/indexer.h"

int
start_at(struct generation *g, uint64_t offset, uint64_t lines, struct place *ret_place)
{
	uint64_t fingerprint;
	bool is_open;
	int error;

	error = place_fingerprint(g, offset, &fingerprint, &is_open);
	if (error)
		return error;
	place_init(ret_place, g);
	ret_place->offset = offset;
	ret_place->lines = lines;
	ret_place->fingerprint = fingerprint;
	ret_place->is_open = is_open;
	/* Whoever begins here takes what comes for a line, or knows what was before. */
	ret_place->line_offset = offset;
	ret_place->line_fingerprint = fingerprint;
	return 0;
}

/* The size when the client came, with all lines before it counted. */
static int
reach_goal(struct generation *g, struct offload *offload, struct start_progress *progress,
           uint64_t *ret_lines)
{
	int error;

	if (!progress->has_goal) {
		progress->has_goal = true;
		progress->generation = g->serial;
		progress->goal_bytes = g->size_bytes;
	} else if (progress->generation != g->serial) {
		/* The file is another one by now: all in it is later than the client. */
		progress->generation = g->serial;
		progress->goal_bytes = 0;
	}
	error = indexer_reach(offload, g, progress->goal_bytes);
	return error ? error : indexer_lines_before(g, progress->goal_bytes, ret_lines);
}

static int
begin_behind_lines(struct generation *g, uint64_t lines, struct place *ret_place)
{
	uint64_t offset;
	int error = indexer_offset_of(g, lines, &offset);

	return error ? error : start_at(g, offset, lines, ret_place);
}

static int
begin_before_end(const struct start *start, struct generation *g, struct offload *offload,
                 struct start_progress *progress, struct place *ret_place)
{
	uint64_t lines, fingerprint, wanted = start->kind == START_TAIL ? start->tail_lines : 0;
	bool is_open;
	int error;

	error = reach_goal(g, offload, progress, &lines);
	if (!error)
		error = place_fingerprint(g, progress->goal_bytes, &fingerprint, &is_open);
	if (error)
		return error;
	if (is_open && wanted > 0)
		wanted--; /* the unfinished line is one of the last */
	return begin_behind_lines(g, lines > wanted ? lines - wanted : 0, ret_place);
}

static int
begin_at_lines(uint64_t wanted, bool clamp, struct generation *g, struct offload *offload,
               struct start_progress *progress, struct place *ret_place, struct event_gap *ret_gap)
{
	uint64_t lines;
	int error;

	if (wanted == 0)
		return start_at(g, 0, 0, ret_place);
	error = reach_goal(g, offload, progress, &lines);
	if (error)
		return error;
	if (wanted <= lines)
		return begin_behind_lines(g, wanted, ret_place);
	error = start_at(g, progress->goal_bytes, lines, ret_place);
	if (error)
		return error;
	if (clamp || (ret_place->is_open && wanted == lines + 1)) {
		/* Whoever counts the unfinished last line has been told that it was finished. */
		ret_place->is_finished = ret_place->is_open;
		ret_place->is_open = false;
		return 0;
	}
	place_fini(ret_place);
	ret_gap->reason = "cursor_invalid";
	return start_at(g, 0, 0, ret_place);
}

/* At a mark in the generation that is thought to hold it; NULL reason: it does. */
static int
verify_mark(const struct cursor_mark *mark, uint64_t lines_seen, struct generation *g,
            struct place *ret_place, const char **ret_reason)
{
	int error;

	*ret_reason = "truncated";
	if (mark->offset > g->size_bytes)
		return 0;
	error = start_at(g, mark->offset, lines_seen - mark->is_finished, ret_place);
	if (error)
		return error;
	if (mark->offset > 0 && ret_place->fingerprint != mark->fingerprint) {
		place_fini(ret_place);
		return 0;
	}
	ret_place->is_finished = mark->is_finished && ret_place->is_open;
	ret_place->is_open = ret_place->is_open && !mark->is_finished;
	*ret_reason = NULL;
	return 0;
}

/* The place that the mark names is nowhere. */
static int
begin_after_gap(const struct cursor_mark *mark, const char *reason, struct source *source, struct place *place,
                struct event_gap *ret_gap)
{
	*ret_gap = (struct event_gap){ .reason = reason, .has_from = true, .from = mark->offset };
	return start_at(source_latest(source), 0, 0, place);
}

/* At the start of a file there is nothing by which to know that it was emptied since, but that somebody
 * saw it. */
static void
note_emptied(const struct cursor_mark *mark, struct source *source, struct event_gap *ret_gap)
{
	if (mark->offset == 0 && source_was_emptied(source, mark->identity, mark->begun_ms))
		*ret_gap = (struct event_gap){ .reason = "truncated", .has_from = true };
}

/* What cannot be read was there before; of interest is what was written since some time. */
static void
note_older(const struct generation *g, int64_t since_ms, struct event_gap *gap)
{
	if (g->older_lost && g->older_lost_ms >= since_ms)
		*gap = (struct event_gap){ .reason = g->older_lost };
}

/* Likewise of copies of what a file held since the mark at its start was made. */
static void
note_older_copies(const struct cursor_mark *mark, const struct generation *g, struct event_gap *gap)
{
	if (mark->begun_ms != 0)
		note_older(g, mark->begun_ms + 1, gap);
}

/* Or a copy that was made since. */
static int
begin_at_first_copy(const struct cursor_mark *mark, struct source *source, struct place *place,
                    struct event_gap *ret_gap)
{
	struct generation *copy;
	int error = source->ops->find(source, mark, &copy);

	/* What was found by its identity is the same file, which has been rotated away: what follows it is
	 * better known to those who follow it. */
	if (error == -ENOENT || (!error && copy->identity == mark->identity)) {
		note_emptied(mark, source, ret_gap);
		if (error && !ret_gap->reason)
			note_older_copies(mark, source->current, ret_gap);
		return 0;
	}
	place_fini(place);
	if (error)
		return error;
	note_older_copies(mark, copy, ret_gap);
	return start_at(copy, 0, 0, place);
}

/* What lies before the mark is so little that the file may hold another log that begins alike: the mark is in a
 * copy, then, if there is one. */
static int
begin_at_short_mark(const struct cursor_mark *mark, uint64_t lines_seen, struct source *source,
                    struct place *place, struct event_gap *ret_gap)
{
	struct generation *copy;
	const char *reason;
	int error = source->ops->find(source, mark, &copy);

	if (error == -ENOENT || error == -EALREADY || error == -EACCES || error == -EPERM || error == -ENOTDIR ||
	    (!error && copy->identity == mark->identity))
		return 0;
	place_fini(place);
	if (!error)
		error = verify_mark(mark, lines_seen, copy, place, &reason);
	if (error || !reason)
		return error;
	return begin_after_gap(mark, reason, source, place, ret_gap);
}

/* As far as so few bytes tell, the mark is in the file that its source leads to; or was, when that was found. */
static int
begin_in_end(const struct cursor_mark *mark, uint64_t lines_seen, struct source *source,
             const struct generation *tried, struct place *place)
{
	struct generation *g = source->current;
	const char *reason = "truncated";
	int error = 0;

	if (g != tried && g->identity == mark->identity)
		error = verify_mark(mark, lines_seen, g, place, &reason);
	if (error || !reason)
		return error;
	source_refresh(source);
	return -EAGAIN;
}

int
start_at_mark(const struct cursor_mark *mark, uint64_t lines_seen, struct source *source,
              const struct start_progress *progress, struct place *ret_place,
              struct event_gap *ret_gap)
{
	/* Who is to begin in a generation that was left behind may be in it. */
	struct generation *g = progress->in && progress->in->identity == mark->identity ? progress->in
	                                                                                : source->current;
	const char *reason = "replaced";
	int error = 0;

	if (lines_seen < mark->is_finished || lines_seen - mark->is_finished > mark->offset)
		return begin_after_gap(mark, "cursor_invalid", source, ret_place, ret_gap);
	if (mark->identity == g->identity)
		error = verify_mark(mark, lines_seen, g, ret_place, &reason);
	if (!error && !reason && mark->offset == 0 && g == source->current && source_may_have_copies(source, 0))
		return begin_at_first_copy(mark, source, ret_place, ret_gap);
	if (!error && !reason && cursor_mark_is_short(mark) && mark->begun_ms > 0 && g == source->current &&
	    source_may_have_copies(source, mark->begun_ms))
		return begin_at_short_mark(mark, lines_seen, source, ret_place, ret_gap);
	if (error || !reason)
		return error;
	/* Not in what this process takes for the current file. That may be a thing of the past, or
	 * the client's file lies beside it under another name. */
	if (!source_is_fresh(source, progress->asked))
		return -EAGAIN;
	error = source->ops->find(source, mark, &g);
	if (!error) {
		const char *not_there;

		error = verify_mark(mark, lines_seen, g, ret_place, &not_there);
		if (!error && !not_there)
			note_emptied(mark, source, ret_gap);
		if (error || !not_there)
			return error;
	} else if (error == -EALREADY) {
		return begin_in_end(mark, lines_seen, source, g, ret_place);
	} else if (error != -ENOENT) {
		return error;
	}
	return begin_after_gap(mark, reason, source, ret_place, ret_gap);
}

static int
begin_at_offset(uint64_t offset, struct source *source, const struct start_progress *progress,
                struct place *ret_place, struct event_gap *ret_gap)
{
	struct generation *g = source->current;

	if (offset <= g->size_bytes)
		return start_at(g, offset, 0, ret_place);
	if (!source_is_fresh(source, progress->asked))
		return -EAGAIN;
	*ret_gap = (struct event_gap){ .reason = "truncated", .has_from = true, .from = offset };
	return start_at(g, 0, 0, ret_place);
}

/* From a place, if it has no gap before it, back by some lines. */
static int
go_back(uint64_t lines_back, struct offload *offload, const struct event_gap *gap, struct place *place)
{
	struct generation *g = place->generation;
	struct place before = { .generation = NULL };
	uint64_t lines;
	int error;

	if (lines_back == 0 || gap->reason)
		return 0;
	error = indexer_reach(offload, g, place->offset);
	if (!error)
		error = indexer_lines_before(g, place->offset, &lines);
	if (!error)
		error = begin_behind_lines(g, lines > lines_back ? lines - lines_back : 0, &before);
	place_fini(place);
	if (!error)
		*place = before;
	return error;
}

int
start_at_oldest(struct source *source, int64_t since_ms, const struct start_progress *progress,
                struct place *ret_place, struct event_gap *ret_gap)
{
	const struct cursor_mark nothing = { .offset = 0 };
	struct generation *g = progress->in ? progress->in : source->current;
	int error = -ENOENT;

	if (!source_is_fresh(source, progress->asked))
		return -EAGAIN;
	if (source->ops->find)
		error = source->ops->find(source, &nothing, &g);
	if (error && error != -ENOENT)
		return error;
	note_older(g, since_ms, ret_gap);
	return start_at(g, 0, 0, ret_place);
}

static int
begin_at_line_of(struct generation *g, uint64_t offset, struct offload *offload, struct place *ret_place)
{
	uint64_t lines;
	int error = indexer_reach(offload, g, offset);

	if (!error)
		error = indexer_lines_before(g, offset, &lines);
	return error ? error : begin_behind_lines(g, lines, ret_place);
}

/* As what was noted: the identity alone tells; of a copy, that it was made since. */
static int
begin_at_identity(const struct cursor_mark *mark, int64_t since_ms, struct source *source,
                  struct offload *offload, const struct start_progress *progress, struct place *ret_place,
                  struct event_gap *ret_gap)
{
	const struct cursor_mark start = { .identity = mark->identity, .begun_ms = since_ms };
	struct generation *g = source->current;
	const char *reason = "truncated";
	int error = 0;

	if (mark->identity != g->identity || mark->offset > g->size_bytes) {
		if (!source_is_fresh(source, progress->asked))
			return -EAGAIN;
		if (mark->identity != g->identity)
			reason = "replaced";
		error = source->ops->find(source, &start, &g);
		if (error && error != -ENOENT)
			return error;
	}
	if (error || mark->offset > g->size_bytes) {
		*ret_gap = (struct event_gap){ .reason = reason, .has_from = true, .from = mark->offset };
		return start_at(source_latest(source), 0, 0, ret_place);
	}
	return begin_at_line_of(g, mark->offset, offload, ret_place);
}

/* What has grown since it was noted: the current file, or the one that it was then, which lies beside
 * it by now, or is a copy there, and leads to it. */
static int
begin_at_ending(const struct cursor_mark *mark, int64_t since_ms, struct source *source,
                struct offload *offload, const struct start_progress *progress, struct place *ret_place,
                struct event_gap *ret_gap)
{
	struct place place = { .generation = NULL };
	int error;

	if (mark->identity == 0) /* there was no file: all parts of it are later */
		return start_at_oldest(source, since_ms, progress, ret_place, ret_gap);
	if (mark->offset == 0 || mark->fingerprint == 0)
		return begin_at_identity(mark, since_ms, source, offload, progress, ret_place, ret_gap);
	error = start_at_mark(mark, 0, source, progress, &place, ret_gap);
	if (error)
		return error;
	if (ret_gap->reason) {
		*ret_place = place;
		return 0;
	}
	error = begin_at_line_of(place.generation, mark->offset, offload, ret_place);
	place_fini(&place);
	return error;
}

int
start_resolve(const struct start *start, enum cursor_file file, struct source *source,
              struct offload *offload, struct start_progress *progress,
              struct place *ret_place, struct event_gap *ret_gap)
{
	struct generation *g = progress->in ? progress->in : source->current;
	struct event_gap gap = { 0 };
	int error = -EINVAL;

	if (!source_is_ready(source))
		return -EAGAIN;
	switch (start->kind) {
	case START_BEGINNING:
		if (start->is_cursor_invalid)
			gap.reason = "cursor_invalid";
		error = start_at(g, 0, 0, ret_place);
		break;
	case START_OLDEST:
		error = start_at_oldest(source, start->since_ms, progress, ret_place, &gap);
		break;
	case START_OFFSET:
		error = begin_at_offset(start->cursor.files[file].mark.offset, source, progress, ret_place,
		                        &gap);
		break;
	case START_ENDING:
		error = begin_at_ending(&start->cursor.files[file].mark, start->since_ms, source, offload,
		                        progress, ret_place, &gap);
		break;
	case START_END:
	case START_TAIL:
		/* Which lines are the last is told by what is there, not by what was emptied since. */
		if (start->kind == START_TAIL && !progress->has_goal && !source_is_fresh(source, progress->asked))
			return -EAGAIN;
		error = begin_before_end(start, g, offload, progress, ret_place);
		break;
	case START_CURSOR:
		if (start->noted_files & 1U << file)
			error = begin_at_ending(&start->cursor.files[file].mark, start->since_ms, source,
			                        offload, progress, ret_place, &gap);
		else if (start->cursor.files[file].has_mark)
			error = start_at_mark(&start->cursor.files[file].mark,
			                      start->cursor.files[file].lines, source, progress, ret_place,
			                      &gap);
		else if (start->has_no_older)
			error = start_at_oldest(source, start->since_ms, progress, ret_place, &gap);
		else if (!source_is_fresh(source, progress->asked))
			return -EAGAIN; /* a number at the end means what the end is */
		else
			error = begin_at_lines(start->cursor.files[file].lines, start->cursor.is_number, g,
			                       offload, progress, ret_place, &gap);
		if (!error)
			error = go_back(start->exact_files & 1U << file ? 0 : start->tail_lines, offload,
			                &gap, ret_place);
		break;
	}
	if (error)
		return error;
	if (gap.reason && !start->is_cursor_invalid && !source_is_fresh(source, progress->asked)) {
		/* The client may know of bytes, or of a file, that only another process saw so far. */
		place_fini(ret_place);
		progress->has_goal = false;
		return -EAGAIN;
	}
	*ret_gap = gap;
	return 0;
}
