#include "stream/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { COPY_BYTES = 1024 };

/*
 * In pieces, for which memcpy(3) takes vector instructions. What it takes for more at once
 * ("rep movsb") is ten times slower on Zen 3 and 4 when the two lie unluckily to one another in
 * their pages, which is up to malloc(3).
 */
static void
copy(char *to, const char *from, size_t length)
{
	while (length > 0) {
		size_t piece = length < COPY_BYTES ? length : COPY_BYTES;

		memcpy(to, from, piece);
		to += piece;
		from += piece;
		length -= piece;
	}
}

struct block *
block_new(const char *text, size_t length)
{
	struct block *block = malloc(sizeof(*block) + length);

	if (!block)
		return NULL;
	memset(block, 0, sizeof(*block));
	block->references = 1;
	block->length_bytes = length;
	copy(block->text, text, length);
	return block;
}

struct block *
block_take(struct buf *text)
{
	struct block *block = buf_error(text) ? NULL : block_new(text->data, text->length_bytes);

	buf_fini(text);
	return block;
}

struct block *
block_ref(struct block *block)
{
	block->references++;
	return block;
}

void
block_unref(struct block **block)
{
	struct block *b = *block;

	*block = NULL;
	if (!b)
		return;
	must(b->references > 0);
	if (--b->references == 0)
		free(b);
}

void
block_move_place(const struct block *block, struct place *place)
{
	place->offset = block->offset;
	place->line_offset = block->line_offset;
	place->line_fingerprint = block->line_fingerprint;
	place->lines = block->lines;
	place->fingerprint = block->fingerprint;
	place->is_open = block->is_open;
	place->is_finished = block->is_finished;
}

void
block_cache_init(struct block_cache *cache, size_t most_bytes)
{
	cache->most_bytes = most_bytes;
	cache->bytes = 0;
	TAILQ_INIT(&cache->blocks);
}

struct block *
block_cache_find(struct block_cache *cache, struct block_table *table, const struct block_key *key)
{
	struct block *block;

	HASH_FIND(hh, table->blocks, key, sizeof(*key), block);
	if (block) {
		TAILQ_REMOVE(&cache->blocks, block, entry);
		TAILQ_INSERT_TAIL(&cache->blocks, block, entry);
	}
	return block;
}

/* The table knows it no more. */
static void
forget(struct block *block)
{
	TAILQ_REMOVE(&block->cache->blocks, block, entry);
	block->cache->bytes -= block->length_bytes;
	block->table = NULL;
	block_unref(&block);
}

static void
drop(struct block *block)
{
	HASH_DELETE(hh, block->table->blocks, block);
	forget(block);
}

void
block_cache_keep(struct block_cache *cache, struct block_table *table, const struct block_key *key,
                 struct block *block)
{
	struct block *oldest, *next;

	must(!block->table);
	block->key = *key;
	block->cache = cache;
	block->table = table;
	HASH_ADD(hh, table->blocks, key, sizeof(block->key), block);
	TAILQ_INSERT_TAIL(&cache->blocks, block, entry);
	cache->bytes += block->length_bytes;
	block_ref(block);
	for (oldest = TAILQ_FIRST(&cache->blocks);
	     cache->bytes > cache->most_bytes && oldest != block; oldest = next) {
		next = TAILQ_NEXT(oldest, entry);
		drop(oldest);
	}
}

void
block_cache_purge(struct block_table *table)
{
	struct block *next, *block = table->blocks;

	HASH_CLEAR(hh, table->blocks);
	for (; block; block = next) {
		next = block->hh.next;
		forget(block);
	}
}
