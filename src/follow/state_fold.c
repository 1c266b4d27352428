#include "follow/state_fold.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/event_line.h"

enum {
	READ_BYTES = 256 * 1024,
	ROOM_BYTES = EVENT_LINE_BYTES + READ_BYTES, /* so that a line always fits with what follows */
	SLICE_BYTES = 8 * 1024 * 1024,              /* folded before others have their turn */
};

struct state_fold {
	struct lore lore;       /* no line ends between folded_bytes and what it reached */
	struct run_state *state;
	uint64_t folded_bytes;  /* all lines before this are in the state; a line begins here */
	bool is_too_long;       /* the line that begins there is: only its end is looked for */
	bool has_tail;          /* it is in the state already, though its end was not there yet */
};

static struct lore *
make_fold(void)
{
	struct state_fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return NULL;
	fold->state = run_state_new();
	if (!fold->state) {
		free(fold);
		return NULL;
	}
	return &fold->lore;
}

static void
free_fold(struct lore *lore)
{
	struct state_fold *fold = (struct state_fold *)lore;

	run_state_free(&fold->state);
	free(fold);
}

/* Takes in the lines that end in the bytes, which begin where the fold is. 0 or -ENOMEM. */
static int
take_lines(struct state_fold *fold, const char *bytes, size_t length, size_t *ret_taken)
{
	const char *at = bytes, *end = bytes + length, *newline;
	int r = 0;

	while (r != -ENOMEM && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		if (fold->has_tail)
			r = 0;
		else if (fold->is_too_long)
			r = run_state_add(fold->state, "", 0); /* no event, but a seq */
		else
			r = run_state_add(fold->state, at, (size_t)(newline - at));
		if (r == -ENOMEM)
			break;
		fold->is_too_long = false;
		fold->has_tail = false;
		at = newline + 1;
	}
	*ret_taken = (size_t)(at - bytes);
	return r == -ENOMEM ? r : 0;
}

/* Takes in what stands behind the last line end, if it is an event but for its newline. */
static int
take_tail(struct state_fold *fold, const char *bytes, size_t length)
{
	if (fold->has_tail || !event_line_is_whole(bytes, length))
		return 0;
	if (run_state_add(fold->state, bytes, length) == -ENOMEM)
		return -ENOMEM;
	fold->has_tail = true;
	return 0;
}

static bool
fold_slice(struct lore *lore, struct generation *generation, uint64_t upto)
{
	struct state_fold *fold = (struct state_fold *)lore;
	const struct source_ops *ops = generation->source->ops;
	uint64_t before = lore->reached_bytes, read_bytes = 0;
	/* Of a line that was too long only the end matters; of another, all. */
	uint64_t at = fold->is_too_long ? lore->reached_bytes : fold->folded_bytes;
	char *bytes = malloc(ROOM_BYTES);
	size_t held = 0, taken;
	int error = bytes ? 0 : -ENOMEM;

	while (!error && lore->reached_bytes < upto && read_bytes < SLICE_BYTES) {
		uint64_t data = ops->hole_end && at < upto ? ops->hole_end(generation, at, upto) : at;
		int64_t n;

		if (data - at > EVENT_LINE_BYTES) {
			/* A line with that in it is too long. */
			fold->is_too_long = true;
			held = 0;
			lore->reached_bytes = at = data;
			continue;
		}
		n = ops->read_waiting(generation, at, bytes + held, READ_BYTES);
		if (n <= 0)
			break;
		at += (uint64_t)n;
		read_bytes += (uint64_t)n;
		held += (size_t)n;
		error = take_lines(fold, bytes, held, &taken);
		held -= taken;
		if (taken > 0)
			fold->folded_bytes = at - held;
		memmove(bytes, bytes + taken, held);
		lore->reached_bytes = at;
		if (held > EVENT_LINE_BYTES)
			fold->is_too_long = true;
		if (fold->is_too_long)
			held = 0;
	}
	if (!error && held > 0)
		error = take_tail(fold, bytes, held);
	if (error)
		lore->reached_bytes = fold->folded_bytes;
	free(bytes);
	return !error && lore->reached_bytes > before;
}

static const struct lore_kind kind = { .make = make_fold, .learn = fold_slice, .free = free_fold };

int
state_fold_reach(struct offload *offload, struct generation *generation, uint64_t upto)
{
	return lore_reach(offload, generation, LORE_STATE, &kind, upto);
}

static const struct state_fold *
fold_of(const struct generation *generation)
{
	return (const struct state_fold *)lore_of(generation, LORE_STATE);
}

const struct run_state *
state_fold_state(const struct generation *generation)
{
	return fold_of(generation)->state;
}

uint64_t
state_fold_offset(const struct generation *generation)
{
	return fold_of(generation)->folded_bytes;
}
