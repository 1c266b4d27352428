#include "follow/line_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { CHUNK = LINE_INDEX_CHUNK_BYTES };

struct line_index *
line_index_new(void)
{
	struct line_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->marks = calloc(4, sizeof(*index->marks));
	if (!index->marks) {
		free(index);
		return NULL;
	}
	index->capacity = 4;
	index->count = 1; /* no line before byte 0 */
	return index;
}

void
line_index_free(struct line_index **index)
{
	if (!*index)
		return;
	free((*index)->marks);
	free(*index);
	*index = NULL;
}

uint64_t
line_index_count_ends(const uint8_t *bytes, size_t length)
{
	uint64_t count = 0;
	size_t i = 0;

	/* Eight lanes of byte counters, so that the compiler makes vector code of it. */
	while (length - i >= 64) {
		size_t rounds = (length - i) / 64;
		uint8_t lanes[64] = { 0 };

		if (rounds > 255)
			rounds = 255;
		for (size_t r = 0; r < rounds; r++, i += 64)
			for (size_t lane = 0; lane < 64; lane++)
				lanes[lane] = (uint8_t)(lanes[lane] + (bytes[i + lane] == '\n'));
		for (size_t lane = 0; lane < 64; lane++)
			count += lanes[lane];
	}
	for (; i < length; i++)
		count += bytes[i] == '\n';
	return count;
}

/* 0 or -ENOMEM. */
static int
reserve(struct line_index *index, size_t more)
{
	size_t capacity = index->capacity;
	struct line_index_mark *grown;

	while (capacity < index->count + more)
		capacity *= 2;
	if (capacity == index->capacity)
		return 0;
	grown = realloc(index->marks, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	index->marks = grown;
	index->capacity = capacity;
	return 0;
}

static void
put_mark(struct line_index *index)
{
	index->marks[index->count++] = (struct line_index_mark){ index->scanned_bytes, index->lines };
}

int
line_index_add(struct line_index *index, const uint8_t *bytes, size_t length)
{
	const uint8_t *last;

	if (reserve(index, length / CHUNK + 1) < 0)
		return -ENOMEM;
	last = memrchr(bytes, '\n', length);
	if (last)
		index->last_end = index->scanned_bytes + (uint64_t)(last - bytes) + 1;
	while (length > 0) {
		uint64_t end = index->marks[index->count - 1].offset + CHUNK;
		size_t part = (size_t)(end - index->scanned_bytes);

		if (part > length)
			part = length;
		index->lines += line_index_count_ends(bytes, part);
		index->scanned_bytes += part;
		bytes += part;
		length -= part;
		if (index->scanned_bytes == end)
			put_mark(index);
	}
	return 0;
}

int
line_index_skip(struct line_index *index, uint64_t to)
{
	if (reserve(index, 1) < 0)
		return -ENOMEM;
	if (index->marks[index->count - 1].offset == index->scanned_bytes && index->count > 1)
		index->count--; /* nothing was in it */
	index->scanned_bytes = to;
	put_mark(index);
	return 0;
}

struct line_index_mark
line_index_before(const struct line_index *index, uint64_t offset)
{
	size_t low = 0, high = index->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (index->marks[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return index->marks[low];
}

void
line_index_find(const struct line_index *index, uint64_t line, uint64_t *ret_offset,
                uint64_t *ret_nth)
{
	size_t low = 0, high = index->count;

	must(line >= 1 && line <= index->lines);
	/* The last chunk with fewer than `line` line ends before it. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (index->marks[middle].lines < line)
			low = middle;
		else
			high = middle;
	}
	*ret_offset = index->marks[low].offset;
	*ret_nth = line - index->marks[low].lines;
}

size_t
line_index_nth_end(const uint8_t *bytes, size_t length, uint64_t nth)
{
	const uint8_t *at = bytes, *end = bytes + length;

	while (nth > 0 && at < end) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return 0;
		at++;
		nth--;
	}
	return nth == 0 ? (size_t)(at - bytes) : 0;
}
