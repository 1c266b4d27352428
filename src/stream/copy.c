#include "stream/copy.h"

#include <errno.h>

#include "stream/start.h"

bool
copy_leads_to(const struct generation *from, const struct generation *to, bool by_identity)
{
	for (const struct generation *g = from->next; g; g = g->next)
		if (g == to || (by_identity && g->identity == to->identity))
			return true;
	return false;
}

/* Whether what follows a generation in this process, up to the current one, holds something that is
 * deleted by now: what lies beside the file does not lead through it. */
static bool
holds_more(const struct generation *g, const struct generation *copy)
{
	const struct generation *current = g->source->current;

	while ((g = g->next) != NULL && g != current) {
		const struct generation *part = copy;

		if (g->state == GENERATION_LOST || g->size_bytes == 0)
			continue;
		while (part && part->identity != g->identity)
			part = part->next;
		if (!part)
			return true;
	}
	return false;
}

int
copy_move(struct place *p, uint64_t left, struct generation **ret_behind)
{
	struct generation *g = p->generation, *copy;
	struct source *source = g->source;
	struct cursor_mark mark = { .offset = p->offset, .identity = g->identity,
		                    .fingerprint = p->fingerprint };
	struct place in_copy;
	int error;

	if (p->offset == 0)
		/* Any file begins like that: what others read of it tells. */
		mark = (struct cursor_mark){ .offset = g->known_to, .identity = g->identity,
			                     .fingerprint = g->known_fingerprint };
	if (mark.offset == 0 || !source->ops->find)
		return -ENOENT;
	error = source->ops->find(source, &mark, &copy);
	if (error == -ENOENT || error == -EAGAIN)
		return error;
	/* Found before its file was seen to have been emptied, it has led here: it was read. */
	if (!error && p->offset == 0 && (left & copy_left_bit(copy)))
		return -ENOENT;
	if (!error)
		error = start_at(copy, p->offset, p->lines, &in_copy);
	if (error == -ENODATA || error == -ESTALE)
		return -ENOENT;
	if (error) {
		source->tell = true; /* tried again after a look */
		return -EAGAIN;
	}
	if (in_copy.fingerprint != p->fingerprint) {
		place_fini(&in_copy);
		return -ENOENT;
	}
	in_copy.is_open = p->is_open;
	in_copy.line_offset = p->line_offset;
	in_copy.line_fingerprint = p->line_fingerprint;
	in_copy.is_finished = p->is_finished;
	if (g->size_bytes > copy->lost_to_bytes)
		copy->lost_to_bytes = g->size_bytes;
	generation_unref(ret_behind);
	if (holds_more(g, copy) || copy_leads_to(copy, g, false))
		*ret_behind = generation_ref(g->next);
	place_fini(p);
	*p = in_copy;
	return 0;
}

int
copy_move_to_next(struct place *p)
{
	struct generation *g = p->generation, *next = g->next;
	struct place in_next;
	int error;

	if (p->offset == 0 || next->identity != g->identity || next->size_bytes < p->offset ||
	    next->state == GENERATION_LOST)
		return -ENOENT;
	error = start_at(next, p->offset, p->lines, &in_next);
	if (error)
		return error == -EAGAIN ? error : -ENOENT;
	if (in_next.fingerprint != p->fingerprint) {
		place_fini(&in_next);
		return -ENOENT;
	}
	in_next.is_open = p->is_open;
	in_next.line_offset = p->line_offset;
	in_next.line_fingerprint = p->line_fingerprint;
	in_next.is_finished = p->is_finished;
	place_fini(p);
	*p = in_next;
	return 0;
}
