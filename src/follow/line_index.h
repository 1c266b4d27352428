/*
 * Where lines begin in a generation: the number of line ends before each 64 KiB of what is in it (holes of
 * sparse files cost nothing). Built in
 * order, in bounded slices, by helper threads, as far as somebody asks; shared by all readers
 * that ask, and extended, never begun anew.
 */
#ifndef FOLLOW_LINE_INDEX_H
#define FOLLOW_LINE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "follow/source.h"

enum { LINE_INDEX_CHUNK_BYTES = 64 * 1024 };

/* Where a chunk begins, and the line ends before it. All line ends up to the next one are in its first 64 KiB. */
struct line_index_mark {
	uint64_t offset, lines;
};

struct line_index {
	struct lore lore;
	uint64_t scanned_bytes; /* counted up to here */
	uint64_t lines;         /* line ends in them */
	uint64_t last_end;      /* offset just behind the last line end; 0: none */
	struct line_index_mark *marks; /* at least one */
	size_t count, capacity;
};

/* Returns owned, or NULL without memory. */
struct line_index *line_index_new(void);
void line_index_free(struct line_index **index);

/* Counts the next bytes, which follow scanned_bytes. 0 or -ENOMEM (nothing changed). */
int line_index_add(struct line_index *index, const uint8_t *bytes, size_t length);

/* What follows scanned_bytes up to an offset beyond it holds no line end. 0 or -ENOMEM. */
int line_index_skip(struct line_index *index, uint64_t to);

/* The last chunk that begins at an offset or before it. */
struct line_index_mark line_index_before(const struct line_index *index, uint64_t offset);

/*
 * Where to look for the end of line number `line` (from 1; at most index->lines): the chunk that
 * begins at *ret_offset holds it, as the *ret_nth line end in it (from 1).
 */
void line_index_find(const struct line_index *index, uint64_t line, uint64_t *ret_offset,
                     uint64_t *ret_nth);

/* How many line ends there are in bytes. */
uint64_t line_index_count_ends(const uint8_t *bytes, size_t length);

/* The offset just behind the nth line end (from 1) in bytes, or 0 if there are fewer. */
size_t line_index_nth_end(const uint8_t *bytes, size_t length, uint64_t nth);

#endif
