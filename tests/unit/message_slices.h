/* All entries of a bus, cut in one pass or from slices that grow as they are read. */
#ifndef TESTS_MESSAGE_SLICES_H
#define TESTS_MESSAGE_SLICES_H

#include <stdlib.h>

#include "base/must.h"
#include "model/message_cut.h"

struct slices_entry {
	struct message_cut cut;
	size_t at;
};

struct slices {
	struct slices_entry *entries; /* owned */
	size_t count, too_long;
	size_t unfinished_at; /* or SIZE_MAX */
};

/* The length of the next slice; at least 1. */
typedef size_t slices_step_fn(void *arg);

static inline void
slices_fini(struct slices *s)
{
	free(s->entries);
	s->entries = NULL;
}

/*
 * What is at hand is `step` bytes at first, so many more each time that is not enough, and each
 * is in a block of its own, so that a sanitizer sees what is read beyond it.
 */
static inline void
slices_cut(const uint8_t *bytes, size_t length, slices_step_fn *step, void *arg,
           struct slices *ret_slices)
{
	struct slices s = { .unfinished_at = SIZE_MAX };
	size_t at = 0, end = 0, room = 0;
	bool is_in_line = false;

	while (at < length) {
		struct message_cut_limits limits = { .is_in_line = is_in_line };
		struct message_cut cut;
		uint8_t *block;

		if (end <= at)
			end = at + step(arg);
		if (end > length)
			end = length;
		limits.is_final = end == length;
		block = malloc(end - at);
		must(block);
		for (size_t i = 0; i < end - at; i++)
			block[i] = bytes[at + i];
		cut = message_cut_next(block, end - at, &limits);
		free(block);
		if (cut.kind == MESSAGE_CUT_MORE) {
			must(!limits.is_final && end - at < MESSAGE_WINDOW_BYTES);
			end += step(arg) + (end - at) / 2;
			continue;
		}
		must(cut.consumed_bytes > 0 && cut.consumed_bytes <= end - at);
		if (cut.kind == MESSAGE_CUT_UNFINISHED) {
			must(limits.is_final && cut.consumed_bytes == end - at);
			s.unfinished_at = at;
		}
		s.too_long += cut.kind == MESSAGE_CUT_TOO_LONG;
		if (cut.kind == MESSAGE_CUT_ENTRY) {
			must(cut.head_at + cut.head_bytes <= cut.body_at);
			must(cut.body_at + cut.body_bytes <= MESSAGE_BYTES);
			if (limits.is_final)
				must(cut.consumed_bytes <= end - at);
			else
				must(cut.body_at + cut.body_bytes == cut.consumed_bytes);
			if (s.count == room) {
				room = room ? room * 2 : 16;
				s.entries = realloc(s.entries, room * sizeof(*s.entries));
				must(s.entries);
			}
			s.entries[s.count++] = (struct slices_entry){ cut, at };
		}
		at += cut.consumed_bytes;
		is_in_line = bytes[at - 1] != '\n';
	}
	*ret_slices = s;
}

static inline size_t
slices_whole(void *arg)
{
	return *(size_t *)arg;
}

/* In one pass. */
static inline void
slices_cut_whole(const uint8_t *bytes, size_t length, struct slices *ret_slices)
{
	slices_cut(bytes, length, slices_whole, &length, ret_slices);
}

static inline void
slices_must_be_equal(const struct slices *a, const struct slices *b)
{
	must(a->count == b->count && a->too_long == b->too_long);
	must(a->unfinished_at == b->unfinished_at);
	for (size_t i = 0; i < a->count; i++) {
		const struct message_cut *x = &a->entries[i].cut, *y = &b->entries[i].cut;

		must(a->entries[i].at == b->entries[i].at && x->is_legacy == y->is_legacy);
		must(x->head_at == y->head_at && x->head_bytes == y->head_bytes);
		must(x->body_at == y->body_at && x->body_bytes == y->body_bytes);
	}
}

#endif
