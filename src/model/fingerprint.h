/*
 * The fingerprint of a place in a file: 48 bits over what lies before it (its first KiB and
 * at least the last 4 KiB before the place), so that a cursor can be verified in constant time
 * before it is believed.
 *
 * The window before the place is hashed in aligned blocks of 512 bytes (XXH3, 64 bits, frozen
 * since xxHash 0.8.0) and the fingerprint is a hash of those hashes. So a renderer that makes
 * an id for each line hashes half a block per line, not 4 KiB. This definition is part of the
 * ids that were sent: it cannot be changed, only added to.
 */
#ifndef MODEL_FINGERPRINT_H
#define MODEL_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

enum {
	FINGERPRINT_BLOCK_BYTES = 512,
	FINGERPRINT_WINDOW_BLOCKS = 8,
	FINGERPRINT_HEAD_BYTES = 1024,
	/* Most bytes before a place that its fingerprint looks at, the head apart. */
	FINGERPRINT_WINDOW_BYTES = FINGERPRINT_BLOCK_BYTES * (FINGERPRINT_WINDOW_BLOCKS + 1),
};

/* Where the window of a place begins: a multiple of 512, 0 for places up to 4 KiB. */
uint64_t fingerprint_window_start(uint64_t offset);

/* Whether the fingerprint at this place takes the head in: beyond 4 KiB; before, the window
 * holds it. */
int fingerprint_needs_head(uint64_t offset);

/* The hash of the first FINGERPRINT_HEAD_BYTES of a file. */
uint64_t fingerprint_head(const uint8_t head[static FINGERPRINT_HEAD_BYTES]);

/* A pass over bytes in memory that asks for fingerprints at growing places. */
struct fingerprint_pass {
	const uint8_t *bytes;  /* of the file, from offset start on; borrowed */
	uint64_t start;        /* a window start */
	uint64_t head;         /* fingerprint_head(), or 0 where no place needs it */
	uint64_t next_block;   /* index in the file of the first block not hashed yet */
	uint64_t block_hashes[FINGERPRINT_WINDOW_BLOCKS]; /* of block i, at i modulo 8 */
};

/* Begins a pass. start must be fingerprint_window_start() of the first place asked for, or less. */
void fingerprint_begin(struct fingerprint_pass *pass, const uint8_t *bytes, uint64_t start,
                       uint64_t head);

/*
 * The fingerprint (below 2^48) at offset; all bytes from start to offset are at pass->bytes.
 * Offsets never go down within a pass.
 */
uint64_t fingerprint_at(struct fingerprint_pass *pass, uint64_t offset);

#endif
