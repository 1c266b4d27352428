/* How a subscriber leaves generations behind that are over, and where one ends that reads so far and no
 * further. */
#include <errno.h>

#include "stream/subscriber_state.h"
#include "stream/until.h"

/* --- the end of one that reads so far and no further -------------------------------------------------------- */

/* What it is to come to is where it begins to look. */
static void
begin_in(struct subscriber *s, int file)
{
	struct start_progress *progress = &s->start->progress[file];
	struct generation *g = s->until[file].generation;

	progress->in = g;
	progress->has_goal = true;
	progress->generation = g->serial;
	progress->goal_bytes = g->size_bytes;
}

void
subscriber_read_until(struct subscriber *s, struct place until[static CURSOR_FILES])
{
	s->until = until;
	s->has_no_copy = 0;
	for (int i = 0; s->start && i < CURSOR_FILES; i++)
		begin_in(s, i);
}

/* Whether a place is in the generation, or led to it: going on to its copy, it takes `until` along. */
static bool
comes_by(const struct place *place, const struct generation *g)
{
	return place->generation && (place->generation == g || copy_leads_to(place->generation, g, false));
}

int
subscriber_find_until(struct subscriber *s, int file)
{
	int error;

	if (!s->until || s->has_no_copy & 1U << file ||
	    s->until[file].generation->state != GENERATION_LOST ||
	    comes_by(&s->places[file], s->until[file].generation))
		return 0;
	error = until_move_to_copy(&s->until[file]);
	if (error == -ENOENT)
		s->has_no_copy |= 1U << file;
	if (!error && s->start)
		begin_in(s, file);
	return error == -EAGAIN ? error : 0;
}

static bool
is_past(const struct subscriber *s, int file)
{
	return s->until && until_is_past(&s->until[file], &s->places[file]);
}

bool
subscriber_is_read_until(const struct subscriber *s)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		if (!is_past(s, i))
			return false;
	return true;
}

const uint64_t *
subscriber_limits(const struct subscriber *s, uint64_t limits[static CURSOR_FILES])
{
	for (int i = 0; s->until && i < CURSOR_FILES; i++)
		limits[i] = until_limit(&s->until[i], &s->places[i]);
	return s->until ? limits : NULL;
}

/* --- leaving a generation ----------------------------------------------------------------------------------- */

/* From a generation that was lost to where its content is. As copy_move(). */
static int
move_on(struct subscriber *s, int file)
{
	struct place *p = &s->places[file], *until = s->until ? &s->until[file] : NULL;
	const struct generation *g = p->generation;
	/* What somebody has read of the file here is the more likely to be in the copy. */
	bool is_next_first = !(s->has_read & 1U << file);
	int error = is_next_first ? copy_move_to_next(p) : -ENOENT;

	if (error != -ENOENT)
		return error;
	error = copy_move(p, s->left[file], &s->behind_copy[file]);
	if (!error && until && until->generation == g) {
		generation_unref(&until->generation);
		until->generation = generation_ref(p->generation);
	}
	return error == -ENOENT && !is_next_first ? copy_move_to_next(p) : error;
}

/* Leaves one generation behind. 1: there is a gap to tell; 0: there is none; -EAGAIN: not known yet. */
static int
leave(struct subscriber *s, int file, struct event_gap *ret_gap)
{
	struct place *p = &s->places[file];
	const struct generation *g = p->generation;
	const char *reason = g->lost_reason;
	uint64_t to = g->state == GENERATION_LOST ? g->size_bytes : g->lost_to_bytes;
	int error;

	if (g->state == GENERATION_LOST) {
		error = move_on(s, file);
		if (error != -ENOENT)
			return error;
	}
	if (reason)
		*ret_gap = (struct event_gap){
			.stream = channel_file_name(s->channel, (enum cursor_file)file),
			.reason = reason,
			.has_from = true,
			.from = p->offset,
			.has_to = p->offset < to,
			.to = to,
		};
	if (p->offset > 0 && !g->copy_of && s->left[file])
		s->left[file]->count = 0;
	copy_left_note(&s->left[file], g);
	place_advance(p);
	if (s->behind_copy[file]) {
		place_fini(p);
		place_init(p, s->behind_copy[file]);
		generation_unref(&s->behind_copy[file]);
	}
	return reason != NULL;
}

int
subscriber_advance(struct subscriber *s, struct event_gap *ret_gap)
{
	int worst = 0;

	for (int i = 0; i < CURSOR_FILES; i++) {
		struct place *p = &s->places[i];

		if (subscriber_find_until(s, i) < 0) {
			worst = -EAGAIN;
			continue;
		}
		while (p->generation->state != GENERATION_LIVE && !is_past(s, i)) {
			int left;

			if (p->generation->state == GENERATION_ENDED &&
			    (p->offset < p->generation->size_bytes || p->is_open))
				break;
			/* It may have been emptied, and have grown to its old size. */
			left = p->generation->state == GENERATION_ENDED ? place_verify_end(p) : 0;
			if (left == -ESTALE)
				continue;
			if (left == 0)
				left = leave(s, i, ret_gap);
			if (left > 0)
				return left;
			if (left < 0) {
				worst = left;
				break;
			}
		}
	}
	return worst;
}
