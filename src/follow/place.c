#include "follow/place.h"

#include <errno.h>

#include "base/must.h"
#include "model/fingerprint.h"

void
place_init(struct place *place, struct generation *generation)
{
	*place = (struct place){ .generation = generation_ref(generation) };
}

void
place_fini(struct place *place)
{
	generation_unref(&place->generation);
}

/* Lines of which the last fragment lies before it: what ids say. */
static uint64_t
lines_seen(const struct place *place)
{
	return place->lines + place->is_finished;
}

uint32_t
place_identity(const struct generation *generation, uint64_t offset)
{
	return generation->copy_of && offset > 0 ? generation->copy_of : generation->identity;
}

struct cursor_mark
place_mark(const struct generation *generation, uint64_t offset, uint64_t fingerprint)
{
	return (struct cursor_mark){
		.offset = offset,
		.identity = place_identity(generation, offset),
		.fingerprint = offset > 0 ? fingerprint : 0,
		.begun_ms = offset == 0                  ? generation->begun_ms
		            : offset < CURSOR_SHORT_BYTES ? generation->copies_since_ms
		                                          : 0,
	};
}

void
place_to_cursor(const struct place *place, enum cursor_file file, struct cursor *cursor)
{
	const struct generation *g = place->generation;

	if (place->offset == 0 && g->before.identity != 0) {
		cursor->files[file].lines = g->before_lines;
		cursor->files[file].has_mark = true;
		cursor->files[file].mark = g->before;
		return;
	}
	cursor->files[file].lines = lines_seen(place);
	cursor->files[file].has_mark = place->generation->identity != 0;
	cursor->files[file].mark = place_mark(g, place->offset, place->fingerprint);
	cursor->files[file].mark.is_finished = place->is_finished;
}

void
place_to_line_cursor(const struct place *place, enum cursor_file file, struct cursor *cursor)
{
	struct place line = *place;

	if (place->is_open) {
		line.offset = place->line_offset;
		line.fingerprint = place->line_fingerprint;
	}
	place_to_cursor(&line, file, cursor);
}

bool
place_is_last(const struct place *place)
{
	const struct generation *g = place->generation;

	if (place->offset != g->size_bytes)
		return false;
	for (; g->next; g = g->next)
		if (g->lost_reason || g->next->size_bytes > 0)
			return false;
	return true;
}

void
place_advance(struct place *place)
{
	struct generation *old = place->generation;

	must(old->next);
	if (old->state == GENERATION_ENDED && !old->lost_reason && place->offset == old->size_bytes) {
		struct cursor end;

		place_to_cursor(place, CURSOR_STDOUT, &end);
		old->next->before = end.files[CURSOR_STDOUT].mark;
		old->next->before_lines = end.files[CURSOR_STDOUT].lines;
		if (place->offset == 0 && old->before.identity == 0)
			old->next->before.identity = 0;
	}
	place_init(place, old->next);
	generation_unref(&old);
}

int
place_read(struct generation *generation, uint64_t offset, void *to, size_t length)
{
	while (length > 0) {
		int64_t n = source_read(generation, offset, to, length);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ENODATA;
		offset += (uint64_t)n;
		to = (char *)to + n;
		length -= (size_t)n;
	}
	return 0;
}

int
place_learn_head(struct generation *generation, uint64_t offset)
{
	uint8_t head[FINGERPRINT_HEAD_BYTES];
	int error;

	if (generation->has_head || !fingerprint_needs_head(offset))
		return 0;
	error = place_read(generation, 0, head, sizeof(head));
	if (error)
		return error;
	generation->head = fingerprint_head(head);
	generation->has_head = true;
	return 0;
}

/* Learns the head, and whether it is still what was learned: a file that was emptied and has grown past
 * its size between two looks is noticed by that. */
static int
learn_head_anew(struct generation *generation, uint64_t offset)
{
	struct source *source = generation->source;
	uint64_t known = generation->head;
	bool was_known = generation->has_head;
	int error;

	generation->has_head = false;
	error = place_learn_head(generation, offset);
	if (error || !was_known || !generation->has_head || generation->head == known) {
		if (was_known && !generation->has_head) {
			generation->head = known;
			generation->has_head = true;
		}
		return error;
	}
	source_rewritten(generation); /* which may be gone by now */
	source_refresh(source);
	return -EAGAIN;
}

int
place_fingerprint(struct generation *generation, uint64_t offset, uint64_t *ret_fingerprint,
                  bool *ret_is_open)
{
	uint8_t window[FINGERPRINT_WINDOW_BYTES] = { 0 };
	uint64_t start = fingerprint_window_start(offset);
	struct fingerprint_pass pass;
	int error;

	if (offset == 0) {
		*ret_fingerprint = 0;
		*ret_is_open = false;
		return 0;
	}
	error = learn_head_anew(generation, offset);
	if (!error)
		error = place_read(generation, start, window, (size_t)(offset - start));
	if (error)
		return error;
	fingerprint_begin(&pass, window, start, generation->head);
	*ret_fingerprint = fingerprint_at(&pass, offset);
	*ret_is_open = window[offset - start - 1] != '\n';
	return 0;
}

int
place_verify_end(const struct place *place)
{
	struct generation *g = place->generation;
	uint64_t fingerprint;
	bool is_open;
	int error;

	if (!g->is_suspect)
		return 0;
	/* The head may be another, too. */
	g->has_head = false;
	error = place_fingerprint(g, place->offset, &fingerprint, &is_open);
	if (error)
		return error;
	if (fingerprint != place->fingerprint) {
		source_rewritten(g);
		return -ESTALE;
	}
	g->is_suspect = false;
	return 0;
}

int
place_holds(struct generation *generation, const struct cursor_mark *mark)
{
	uint64_t fingerprint;
	bool is_open;
	int error;

	if (place_identity(generation, mark->offset) != mark->identity || generation->size_bytes < mark->offset)
		return -ENOENT;
	error = place_fingerprint(generation, mark->offset, &fingerprint, &is_open);
	if (error == -ESTALE && generation->state == GENERATION_LIVE) {
		generation->source->tell = true; /* the next look says what became of what it held */
		return -EAGAIN;
	}
	if (error == -EAGAIN)
		return error;
	return !error && (mark->offset == 0 || fingerprint == mark->fingerprint) ? 0 : -ENOENT;
}
