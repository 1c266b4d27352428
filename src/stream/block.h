/*
 * A block: text of events in the stream's wire format, made once, immutable, counted, sent to all
 * who come by its place. And the cache that keeps blocks for those who come later, with a
 * bound for the whole process: what falls out is rendered again from the file.
 */
#ifndef STREAM_BLOCK_H
#define STREAM_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "follow/hash_table.h"
#include "follow/place.h"
#include "model/cursor.h"

/* A place in a channel: what the text of a block begins at. Padding is zeroed (it is hashed). */
struct block_key {
	struct {
		uint64_t offset, lines;
		uint64_t fingerprint; /* the file may have been written anew, and not all know of it yet */
		uint32_t generation; /* serial */
		uint32_t is_finished;
	} files[CURSOR_FILES];
	uint64_t limits[CURSOR_FILES]; /* beyond which the reader wants nothing; 0: none */
};

struct block {
	unsigned references;
	uint32_t events;    /* log events in it */
	size_t length_bytes;
	/* Somebody waited for what is in it: when that was written, until it was sent first (a
	 * measurement, in microseconds since the epoch; 0: none). */
	int64_t appended_us;

	/* Where it leads: one file's place moves. */
	enum cursor_file file;
	bool is_open, is_finished;
	uint64_t offset, lines, fingerprint;
	/* Where the line begins that is open there. */
	uint64_t line_offset, line_fingerprint;

	/* In the cache only: */
	struct block_cache *cache;
	struct block_table *table;
	struct block_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(block) entry; /* least recently used first */

	char text[];
};

/* Blocks by place, of one channel. */
struct block_table {
	struct block *blocks;
};

struct block_cache {
	size_t most_bytes, bytes;
	TAILQ_HEAD(, block) blocks;
};

/* Copies the text; one reference. NULL without memory. Returns owned. */
struct block *block_new(const char *text, size_t length);
/* The same from a buffer, which is emptied and freed; NULL, too, if the buffer has an error. */
struct block *block_take(struct buf *text);
struct block *block_ref(struct block *block);
void block_unref(struct block **block);

/* Moves a place to where a block leads that was rendered there. */
void block_move_place(const struct block *block, struct place *place);

void block_cache_init(struct block_cache *cache, size_t most_bytes);

/* Borrows the block at this place, or NULL. */
struct block *block_cache_find(struct block_cache *cache, struct block_table *table,
                               const struct block_key *key);
/* Keeps it (a reference of the cache's own), dropping the least recently used beyond the bound. */
void block_cache_keep(struct block_cache *cache, struct block_table *table,
                      const struct block_key *key, struct block *block);
/* Drops all blocks of a table. */
void block_cache_purge(struct block_table *table);

#endif
