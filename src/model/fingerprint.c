#include "model/fingerprint.h"

#include <endian.h>

#include <xxhash.h>

#include "base/must.h"

enum {
	BLOCK = FINGERPRINT_BLOCK_BYTES,
	BLOCKS = FINGERPRINT_WINDOW_BLOCKS,
	NEAR_START = BLOCK * BLOCKS, /* up to here the window holds the whole file */
};

uint64_t
fingerprint_window_start(uint64_t offset)
{
	if (offset <= NEAR_START)
		return 0;
	return (offset - NEAR_START) / BLOCK * BLOCK;
}

int
fingerprint_needs_head(uint64_t offset)
{
	return offset > NEAR_START;
}

uint64_t
fingerprint_head(const uint8_t head[static FINGERPRINT_HEAD_BYTES])
{
	return XXH3_64bits(head, FINGERPRINT_HEAD_BYTES);
}

void
fingerprint_begin(struct fingerprint_pass *pass, const uint8_t *bytes, uint64_t start, uint64_t head)
{
	must(start % BLOCK == 0);
	*pass = (struct fingerprint_pass){
		.bytes = bytes, .start = start, .head = head, .next_block = start / BLOCK
	};
}

uint64_t
fingerprint_at(struct fingerprint_pass *pass, uint64_t offset)
{
	uint64_t window = fingerprint_window_start(offset), whole = offset / BLOCK;
	/* Hashed as one run of little-endian words; what does not exist is 0. */
	uint64_t words[BLOCKS + 2] = { 0 };

	must(window >= pass->start && whole >= window / BLOCK);
	if (pass->next_block < window / BLOCK)
		pass->next_block = window / BLOCK;
	for (; pass->next_block < whole; pass->next_block++)
		pass->block_hashes[pass->next_block % BLOCKS] =
			XXH3_64bits(pass->bytes + (pass->next_block * BLOCK - pass->start), BLOCK);
	for (uint64_t block = window / BLOCK; block < whole; block++)
		words[block - window / BLOCK] = pass->block_hashes[block % BLOCKS];
	if (offset > whole * BLOCK)
		words[BLOCKS] = XXH3_64bits(pass->bytes + (whole * BLOCK - pass->start),
		                            offset - whole * BLOCK);
	if (fingerprint_needs_head(offset))
		words[BLOCKS + 1] = pass->head;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = htole64(words[i]);
	return XXH3_64bits(words, sizeof(words)) & ((UINT64_C(1) << 48) - 1);
}
