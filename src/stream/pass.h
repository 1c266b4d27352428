/*
 * One pass of the renderer over the bytes at a place: what the kinds of streams (kind.h) share
 * with it, and nobody else includes.
 */
#ifndef STREAM_PASS_H
#define STREAM_PASS_H

#include "base/buf.h"
#include "base/clock.h"
#include "model/fingerprint.h"
#include "stream/kind.h"
#include "stream/renderer.h"

struct pass {
	const struct renderer_job *job;
	struct generation *generation;
	struct fingerprint_pass fingerprints;
	struct buf *bytes; /* of the file, from `start` on */
	struct buf *text;  /* of the block: events are appended */
	uint64_t start;    /* offset in the file of bytes */
	uint64_t end;      /* how far it was read */
	uint64_t limit;    /* how far it may be */
	uint64_t stop;     /* no entry that begins here, or behind, is wanted */

	/* Where it is: behind the last event put, or what was passed over. */
	uint64_t offset, lines;
	bool is_open, is_finished;
	uint64_t line_offset, line_fingerprint; /* where the line at hand begins */
	uint32_t events;
	uint32_t malformed; /* entries that were passed over for the first time */
	bool is_hole;      /* the block skips one, and is nothing else */
	uint64_t hole_fingerprint;
};

/* The bytes at the pass's offset, and how many were read. */
static inline const uint8_t *
pass_bytes(const struct pass *pass)
{
	return (const uint8_t *)pass->bytes->data + (pass->offset - pass->start);
}

static inline size_t
pass_length(const struct pass *pass)
{
	return (size_t)(pass->end - pass->offset);
}

/* Whether the text is long enough for a block. */
bool pass_is_full(const struct pass *pass);

/* All that there is has been read. */
static inline bool
pass_is_all(const struct pass *pass)
{
	return pass->end == pass->limit;
}

/* Has the bytes up to offset `end` (less where the file ends before) at hand. 0 or as place_read(). */
int pass_read_to(struct pass *pass, uint64_t end);

/* Where the hole of a sparse file ends that begins at offset, or offset. */
uint64_t pass_hole_end(const struct pass *pass, uint64_t offset);
/* Makes the block one that says what is skipped; for an empty one. */
int pass_put_hole(struct pass *pass, uint64_t end);

/* There is no whole entry from the pass's offset to the end of what there is: until there is more,
 * nobody needs to look again. */
void pass_note_unfinished(struct pass *pass);

/* What was passed over is malformed: counted, once for each place of a generation. */
void pass_count_malformed(struct pass *pass);

/* The mark of the pass's place. */
struct cursor_mark pass_mark(struct pass *pass);
/* The id of the entry that ends at the pass's place. */
size_t pass_format_id(struct pass *pass, char ret_text[static STREAM_ID_BYTES]);

#endif
