#include "stream/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

void
copy_left_note(struct copy_left **left, const struct generation *g)
{
	struct copy_left *l = *left;

	if (g->identity == 0)
		return; /* there was no file yet */
	if (!l)
		*left = l = calloc(1, sizeof(*l));
	if (!l)
		return;
	if (l->count == COPY_LEFT_MOST)
		memmove(l->identities, l->identities + 1, --l->count * sizeof(l->identities[0]));
	l->identities[l->count++] = g->identity;
}

bool
copy_left_has(const struct copy_left *left, const struct generation *g)
{
	for (size_t i = 0; left && i < left->count; i++)
		if (left->identities[i] == g->identity)
			return true;
	return false;
}

/* The same place in another generation. -ENOENT: what lies before it there is something else. Other errors as
 * start_at(). */
static int
place_in(struct generation *other, const struct place *p, struct place *ret_place)
{
	int error = start_at(other, p->offset, p->lines, ret_place);

	if (error)
		return error == -ENODATA || error == -ESTALE ? -ENOENT : error;
	if (ret_place->fingerprint != p->fingerprint) {
		place_fini(ret_place);
		return -ENOENT;
	}
	ret_place->is_open = p->is_open;
	ret_place->is_finished = p->is_finished;
	ret_place->line_offset = p->line_offset;
	ret_place->line_fingerprint = p->line_fingerprint;
	return 0;
}

int
copy_move(struct place *p, const struct copy_left *left, struct generation **ret_behind)
{
	struct generation *g = p->generation, *copy;
	struct source *source = g->source;
	struct cursor_mark mark = place_mark(g, p->offset, p->fingerprint);
	struct place in_copy;
	int error;

	if (g->state == GENERATION_LIVE && g->is_rewritten)
		return -EAGAIN; /* the next look leads on from it */
	if (p->offset == 0)
		/* Any file begins like that: what others read of it tells. */
		mark = place_mark(g, g->known_to, g->known_fingerprint);
	mark.identity = g->identity;
	if (mark.offset == 0 || !source->ops->find)
		return -ENOENT;
	error = source->ops->find(source, &mark, &copy);
	if (error == -EALREADY)
		error = -ENOENT; /* it begins alike, and was emptied, as is known */
	if (error == -ENOENT || error == -EAGAIN)
		return error;
	/* Found before its file was seen to have been emptied, it has led here: it was read. */
	if (!error && p->offset == 0 && copy_left_has(left, copy))
		return -ENOENT;
	if (!error)
		error = place_in(copy, p, &in_copy);
	if (error == -ENOENT)
		return error;
	if (error) {
		source->tell = true; /* tried again after a look */
		return -EAGAIN;
	}
	if (g->size_bytes > copy->lost_to_bytes)
		copy->lost_to_bytes = g->size_bytes;
	if (ret_behind) {
		generation_unref(ret_behind);
		if (holds_more(g, copy) || copy_leads_to(copy, g, false))
			*ret_behind = generation_ref(g->next);
	}
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
	error = place_in(next, p, &in_next);
	if (error)
		return error == -EAGAIN ? error : -ENOENT;
	place_fini(p);
	*p = in_next;
	return 0;
}
