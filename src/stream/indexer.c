#include "stream/indexer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "stream/place.h"

enum {
	READ_BYTES = 256 * 1024,
	SLICE_BYTES = 16 * 1024 * 1024, /* counted before others have their turn */
};

struct slice {
	struct offload_job job;
	struct generation *generation; /* owned reference; its index is this job's while it runs */
	uint64_t upto;
	uint64_t counted_bytes;
};

static void
count_slice(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;
	struct line_index *index = slice->generation->index;
	const struct source_ops *ops = slice->generation->source->ops;
	uint8_t *bytes = malloc(READ_BYTES);

	while (bytes && index->scanned_bytes < slice->upto && slice->counted_bytes < SLICE_BYTES) {
		int64_t n = ops->read_waiting(slice->generation, index->scanned_bytes, bytes, READ_BYTES);

		if (n <= 0 || line_index_add(index, bytes, (size_t)n) < 0)
			break;
		slice->counted_bytes += (uint64_t)n;
	}
	free(bytes);
}

static void
counted_slice(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;
	struct generation *generation = slice->generation;
	struct source *source = generation->source;

	generation->is_indexing = false;
	if (slice->counted_bytes > 0)
		source_notify(source);
	else
		source->tell = true; /* nothing could be read: not at once again */
	free(slice);
	generation_unref(&generation);
	source->ops->release(source);
}

int
indexer_reach(struct offload *offload, struct generation *generation, uint64_t upto)
{
	struct slice *slice;

	if (generation->is_indexing)
		return -EAGAIN;
	if (!generation->index) {
		generation->index = line_index_new();
		if (!generation->index)
			return -ENOMEM;
	}
	if (generation->index->scanned_bytes >= upto)
		return 0;
	slice = calloc(1, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	slice->generation = generation_ref(generation);
	slice->upto = upto;
	generation->is_indexing = true;
	generation->source->ops->hold(generation->source);
	offload_submit(offload, &slice->job, count_slice, counted_slice);
	return -EAGAIN;
}

int
indexer_lines_before(struct generation *generation, uint64_t offset, uint64_t *ret_lines)
{
	uint8_t bytes[LINE_INDEX_CHUNK_BYTES];
	size_t chunk = (size_t)(offset / LINE_INDEX_CHUNK_BYTES);
	size_t length = (size_t)(offset % LINE_INDEX_CHUNK_BYTES);
	uint64_t lines = 0;
	int error;

	must(!generation->is_indexing && generation->index->scanned_bytes >= offset);
	error = place_read(generation, offset - length, bytes, length);
	if (error)
		return error;
	for (size_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	*ret_lines = generation->index->before[chunk] + lines;
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
	must(!generation->is_indexing);
	if (lines > generation->index->lines) {
		/* The caller counted in a file that is not the one that was indexed. */
		source_rewritten(generation);
		return -ESTALE;
	}
	line_index_find(generation->index, lines, &offset, &nth);
	length = generation->index->scanned_bytes - offset;
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
