#include "follow/message_index.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "follow/place.h"

/* --- the index ---------------------------------------------------------------------------------- */

struct message_index *
message_index_new(void)
{
	return calloc(1, sizeof(struct message_index));
}

void
message_index_free(struct message_index **index)
{
	if (!*index)
		return;
	free((*index)->marks);
	free(*index);
	*index = NULL;
}

static bool
needs_mark(const struct message_index *index, const struct message_position *position)
{
	const struct message_mark *last;

	if (index->marks_count == 0)
		return true;
	last = &index->marks[index->marks_count - 1];
	return index->count - last->number >= MESSAGE_INDEX_ENTRIES ||
	       position->offset - last->position.offset >= MESSAGE_INDEX_BYTES;
}

static int
count_entry(struct message_index *index, const struct message_position *position)
{
	if (needs_mark(index, position)) {
		if (index->marks_count == index->marks_capacity) {
			size_t capacity = index->marks_capacity ? index->marks_capacity * 2 : 16;
			struct message_mark *grown = realloc(index->marks, capacity * sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			index->marks = grown;
			index->marks_capacity = capacity;
		}
		index->marks[index->marks_count++] =
			(struct message_mark){ .position = *position, .number = index->count };
	}
	index->count++;
	return 0;
}

int
message_index_add(struct message_index *index, const uint8_t *bytes, size_t length)
{
	int error = 0;

	index->last_count = 0;
	while (length > 0 && !error) {
		struct message_position position = index->next;
		struct message_cut cut = message_scan_next(&position, bytes, length, false);

		if (cut.kind == MESSAGE_CUT_MORE)
			break;
		if (cut.kind == MESSAGE_CUT_ENTRY)
			error = count_entry(index, &index->next);
		if (!error) {
			index->next = position;
			bytes += cut.consumed_bytes;
			length -= cut.consumed_bytes;
		}
	}
	index->end = index->next;
	index->seen_bytes = index->next.offset;
	return error;
}

void
message_index_rest(struct message_index *index, const uint8_t *bytes, size_t length)
{
	index->last_count = 0;
	index->end = index->next;
	index->seen_bytes = index->next.offset + length;
	while (index->end.offset < index->seen_bytes) {
		size_t at = (size_t)(index->end.offset - index->next.offset);
		struct message_position position = index->end;
		struct message_cut cut = message_scan_next(&position, bytes + at, length - at, true);

		if (cut.kind == MESSAGE_CUT_UNFINISHED)
			break;
		if (cut.kind == MESSAGE_CUT_ENTRY && index->last_count < MESSAGE_INDEX_LAST)
			index->last[index->last_count++] = index->end;
		index->end = position;
	}
}

/* --- in slices ---------------------------------------------------------------------------------- */

static struct lore *
make_index(void)
{
	struct message_index *index = message_index_new();

	return index ? &index->lore : NULL;
}

static bool
index_slice(struct lore *lore, struct generation *generation, uint64_t upto)
{
	struct message_index *index = (struct message_index *)lore;
	uint64_t from = index->next.offset;
	uint8_t *bytes = malloc(MESSAGE_SCAN_BYTES);
	bool is_further = false;

	while (bytes && index->next.offset - from < MESSAGE_SCAN_SLICE_BYTES) {
		uint64_t start, cut;
		int64_t n;

		message_scan_pass_hole(generation, upto, &index->next);
		start = index->next.offset;
		n = message_scan_read(generation, start, upto, bytes);
		if (n <= 0 || message_index_add(index, bytes, (size_t)n) < 0)
			break;
		is_further = true;
		if (start + (uint64_t)n < upto)
			continue;
		cut = index->next.offset - start;
		message_index_rest(index, bytes + cut, (size_t)((uint64_t)n - cut));
		break;
	}
	free(bytes);
	lore->reached_bytes = index->seen_bytes;
	return is_further;
}

static void
free_index(struct lore *lore)
{
	struct message_index *index = (struct message_index *)lore;

	message_index_free(&index);
}

static const struct lore_kind kind = { .make = make_index, .learn = index_slice, .free = free_index };

int
message_index_reach(struct offload *offload, struct generation *generation, uint64_t upto)
{
	return lore_reach(offload, generation, LORE_MESSAGES, &kind, upto);
}

static const struct message_index *
index_of(const struct generation *generation)
{
	return (const struct message_index *)lore_of(generation, LORE_MESSAGES);
}

/* --- finding ------------------------------------------------------------------------------------ */

/* The last mark for which the number (or else the offset) is at most what is asked for. There is
 * one, since the first is that of entry 0. */
static size_t
find_mark(const struct message_index *index, uint64_t number, uint64_t offset)
{
	size_t low = 0, high = index->marks_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		const struct message_mark *mark = &index->marks[middle];

		if (mark->number <= number && mark->position.offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * From a mark on to the first entry that has this number or begins at this offset or behind it, but
 * not beyond the next mark, whose number is returned then, without a position.
 */
static int
walk(struct generation *generation, size_t mark, uint64_t number, uint64_t offset,
     uint64_t *ret_number, struct message_position *ret_position)
{
	const struct message_index *index = index_of(generation);
	struct message_position position = index->marks[mark].position;
	uint64_t at = index->marks[mark].number, start = position.offset;
	uint64_t stop = mark + 1 < index->marks_count ? index->marks[mark + 1].number : index->count;
	uint64_t length = index->seen_bytes - start;
	uint8_t *bytes;
	int error;

	if (length > MESSAGE_INDEX_WINDOW_BYTES)
		length = MESSAGE_INDEX_WINDOW_BYTES;
	bytes = malloc((size_t)length);
	if (!bytes)
		return -ENOMEM;
	error = place_read(generation, start, bytes, (size_t)length);
	while (!error && at < stop) {
		struct message_position before = position;
		uint64_t cut_bytes = position.offset - start;
		struct message_cut cut = { .kind = MESSAGE_CUT_MORE };

		if (cut_bytes < length)
			cut = message_scan_next(&position, bytes + cut_bytes, (size_t)(length - cut_bytes),
			                        false);
		if (cut.kind == MESSAGE_CUT_TEXT || cut.kind == MESSAGE_CUT_TOO_LONG)
			continue;
		if (at == number || before.offset >= offset) {
			*ret_position = before;
			break;
		}
		at++;
		/* Only the last one before the next mark may end beyond what is at hand. */
		if (cut.kind == MESSAGE_CUT_MORE && at < stop) {
			source_rewritten(generation);
			error = -ESTALE;
		}
	}
	free(bytes);
	if (!error)
		*ret_number = at;
	return error;
}

/* How many entries begin below an offset. */
static int
count_below(struct generation *generation, uint64_t below, uint64_t *ret_count)
{
	const struct message_index *index = index_of(generation);
	struct message_position position;

	if (below >= index->next.offset) {
		*ret_count = index->count;
		for (size_t i = 0; i < index->last_count; i++)
			*ret_count += index->last[i].offset < below;
		return 0;
	}
	if (index->marks_count == 0 || index->marks[0].position.offset >= below) {
		*ret_count = 0;
		return 0;
	}
	return walk(generation, find_mark(index, UINT64_MAX, below), UINT64_MAX, below, ret_count,
	            &position);
}

int
message_index_tail(struct generation *generation, uint64_t below, uint64_t wanted,
                   struct message_position *ret_position)
{
	const struct message_index *index = index_of(generation);
	uint64_t count, number;
	int error;

	must(index->seen_bytes >= below);
	error = count_below(generation, below, &count);
	if (error)
		return error;
	number = count > wanted ? count - wanted : 0;
	if (number < index->count)
		return walk(generation, find_mark(index, number, UINT64_MAX), number, UINT64_MAX, &number,
		            ret_position);
	*ret_position = number - index->count < index->last_count ? index->last[number - index->count]
	                                                          : index->end;
	return 0;
}
