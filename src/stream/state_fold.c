#include "stream/state_fold.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "model/event_line.h"

enum {
	READ_BYTES = 256 * 1024,
	ROOM_BYTES = EVENT_LINE_BYTES + READ_BYTES, /* so that a line always fits with what follows */
	SLICE_BYTES = 8 * 1024 * 1024,              /* folded before others have their turn */
};

struct state_fold {
	struct run_state *state;
	uint64_t folded_bytes;  /* all lines before this are in the state; a line begins here */
	uint64_t scanned_bytes; /* and no line ends between there and here */
	bool is_too_long;       /* the line that begins there is: only its end is looked for */
	bool has_tail;          /* it is in the state already, though its end was not there yet */
};

struct slice {
	struct offload_job job;
	struct generation *generation; /* owned reference; its fold is this job's while it runs */
	uint64_t upto;
	uint64_t scanned_before_bytes; /* of the fold, when the slice began */
	uint64_t read_bytes;
	int error;
};

static struct state_fold *
new_fold(void)
{
	struct state_fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return NULL;
	fold->state = run_state_new();
	if (!fold->state)
		state_fold_free(&fold);
	return fold;
}

void
state_fold_free(struct state_fold **fold)
{
	if (!*fold)
		return;
	run_state_free(&(*fold)->state);
	free(*fold);
	*fold = NULL;
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

static void
fold_slice(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;
	struct state_fold *fold = slice->generation->fold;
	const struct source_ops *ops = slice->generation->source->ops;
	/* Of a line that was too long only the end matters; of another, all. */
	uint64_t at = fold->is_too_long ? fold->scanned_bytes : fold->folded_bytes;
	char *bytes = malloc(ROOM_BYTES);
	size_t held = 0, taken;

	if (!bytes)
		slice->error = -ENOMEM;
	while (slice->error == 0 && fold->scanned_bytes < slice->upto && slice->read_bytes < SLICE_BYTES) {
		int64_t n = ops->read_waiting(slice->generation, at, bytes + held, READ_BYTES);

		if (n <= 0)
			break;
		at += (uint64_t)n;
		slice->read_bytes += (uint64_t)n;
		held += (size_t)n;
		slice->error = take_lines(fold, bytes, held, &taken);
		held -= taken;
		if (taken > 0)
			fold->folded_bytes = at - held;
		memmove(bytes, bytes + taken, held);
		fold->scanned_bytes = at;
		if (held > EVENT_LINE_BYTES)
			fold->is_too_long = true;
		if (fold->is_too_long)
			held = 0;
	}
	if (slice->error == 0 && held > 0)
		slice->error = take_tail(fold, bytes, held);
	if (slice->error)
		fold->scanned_bytes = fold->folded_bytes;
	free(bytes);
}

static void
folded_slice(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;
	struct generation *generation = slice->generation;
	struct source *source = generation->source;

	generation->is_folding = false;
	if (generation->fold->scanned_bytes > slice->scanned_before_bytes && slice->error == 0)
		source_notify(source);
	else
		source->tell = true; /* nothing could be read, or kept: not at once again */
	free(slice);
	generation_unref(&generation);
	source->ops->release(source);
}

int
state_fold_reach(struct offload *offload, struct generation *generation, uint64_t upto)
{
	struct slice *slice;

	if (generation->is_folding)
		return -EAGAIN;
	if (!generation->fold) {
		generation->fold = new_fold();
		if (!generation->fold)
			return -ENOMEM;
	}
	if (generation->fold->scanned_bytes >= upto)
		return 0;
	slice = calloc(1, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	slice->generation = generation_ref(generation);
	slice->upto = upto;
	slice->scanned_before_bytes = generation->fold->scanned_bytes;
	generation->is_folding = true;
	generation->source->ops->hold(generation->source);
	offload_submit(offload, &slice->job, fold_slice, folded_slice);
	return -EAGAIN;
}

const struct run_state *
state_fold_state(const struct generation *generation)
{
	must(!generation->is_folding && generation->fold);
	return generation->fold->state;
}

uint64_t
state_fold_offset(const struct generation *generation)
{
	must(!generation->is_folding && generation->fold);
	return generation->fold->folded_bytes;
}
