#include "follow/indexer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "follow/line_index.h"
#include "follow/lore.h"
#include "follow/place.h"

enum {
	READ_BYTES = 256 * 1024,
	SLICE_BYTES = 16 * 1024 * 1024, /* counted before others have their turn */
};

static struct lore *
make_index(void)
{
	struct line_index *index = line_index_new();

	return index ? &index->lore : NULL;
}

static bool
count_slice(struct lore *lore, struct generation *generation, uint64_t upto)
{
	struct line_index *index = (struct line_index *)lore;
	const struct source_ops *ops = generation->source->ops;
	uint64_t before = index->scanned_bytes;
	uint8_t *bytes = malloc(READ_BYTES);
	bool is_further = false;

	while (bytes && index->scanned_bytes < upto && index->scanned_bytes - before < SLICE_BYTES) {
		uint64_t data = ops->hole_end ? ops->hole_end(generation, index->scanned_bytes, upto)
		                              : index->scanned_bytes;
		int64_t n;

		if (data - index->scanned_bytes >= LINE_INDEX_CHUNK_BYTES) {
			if (line_index_skip(index, data) < 0)
				break;
			before = data; /* it was for nothing */
			is_further = true;
			continue;
		}
		n = ops->read_waiting(generation, index->scanned_bytes, bytes, READ_BYTES);
		if (n <= 0 || line_index_add(index, bytes, (size_t)n) < 0)
			break;
	}
	free(bytes);
	lore->reached_bytes = index->scanned_bytes;
	return is_further || index->scanned_bytes > before;
}

static void
free_index(struct lore *lore)
{
	struct line_index *index = (struct line_index *)lore;

	line_index_free(&index);
}

static const struct lore_kind kind = { .make = make_index, .learn = count_slice, .free = free_index };

/* What was counted was there before a look that saw less: the file was emptied in between, and has grown again to
 * no less than was known, so that no look can tell. (Of one that has ended, what is written late is not known.) */
static bool
is_smaller_than_counted(const struct generation *generation)
{
	const struct lore *lore = generation->lore[LORE_LINES];

	return lore && !lore->is_busy && generation->state == GENERATION_LIVE &&
	       lore->reached_bytes > generation->size_bytes && generation->source->looked > lore->looks_begun;
}

int
indexer_reach(struct offload *offload, struct generation *generation, uint64_t upto)
{
	if (is_smaller_than_counted(generation))
		lore_forget(generation, LORE_LINES);
	return lore_reach(offload, generation, LORE_LINES, &kind, upto);
}

static const struct line_index *
index_of(const struct generation *generation)
{
	return (const struct line_index *)lore_of(generation, LORE_LINES);
}

bool
indexer_lines_behind(const struct generation *generation, uint64_t lines, uint64_t *ret_lines)
{
	const struct lore *lore = generation->lore[LORE_LINES];

	if (!lore || lore->is_busy || lore->reached_bytes < generation->size_bytes)
		return false;
	*ret_lines = ((const struct line_index *)lore)->lines - lines;
	return true;
}

int
indexer_lines_before(struct generation *generation, uint64_t offset, uint64_t *ret_lines)
{
	uint8_t bytes[LINE_INDEX_CHUNK_BYTES];
	struct line_index_mark mark = line_index_before(index_of(generation), offset);
	/* Behind the first of it there is a hole. */
	size_t length = offset - mark.offset < sizeof(bytes) ? (size_t)(offset - mark.offset) : sizeof(bytes);
	int error;

	must(index_of(generation)->scanned_bytes >= offset);
	error = place_read(generation, mark.offset, bytes, length);
	if (error)
		return error;
	*ret_lines = mark.lines + line_index_count_ends(bytes, length);
	return 0;
}

int
indexer_offset_of(struct generation *generation, uint64_t lines, uint64_t *ret_offset)
{
	uint8_t bytes[LINE_INDEX_CHUNK_BYTES];
	uint64_t offset, nth, length;
	size_t end;
	int error;

	if (lines == 0) {
		*ret_offset = 0;
		return 0;
	}
	if (lines > index_of(generation)->lines) {
		/* The caller counted in a file that is not the one that was indexed. */
		source_rewritten(generation);
		return -ESTALE;
	}
	line_index_find(index_of(generation), lines, &offset, &nth);
	length = index_of(generation)->scanned_bytes - offset;
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	error = place_read(generation, offset, bytes, (size_t)length);
	if (error)
		return error;
	end = line_index_nth_end(bytes, (size_t)length, nth);
	if (end == 0) {
		/* Fewer lines than were counted: not the content that was there. */
		source_rewritten(generation);
		return -ESTALE;
	}
	*ret_offset = offset + end;
	return 0;
}
