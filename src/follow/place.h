/*
 * A place in a source: where a reader is. It holds a reference to its generation, and so the
 * way onwards; the fingerprint of what lies before it says whether the content is still the
 * one that was read.
 */
#ifndef FOLLOW_PLACE_H
#define FOLLOW_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/source.h"
#include "model/cursor.h"

struct place {
	struct generation *generation; /* owned reference */
	uint64_t offset;
	uint64_t lines;       /* line ends before offset */
	uint64_t fingerprint; /* at offset */
	uint64_t line_offset, line_fingerprint; /* where the line begins that is open */
	bool is_open;         /* the line before offset has no end yet, and was not finished */
	bool is_finished;     /* it has none, and was finished, at the end of its run or file */
};

/* At the start of a generation. */
void place_init(struct place *place, struct generation *generation);
void place_fini(struct place *place);

/*
 * The identity that ids name at an offset: of a copy, that of the file that it was made of, since
 * what tells that something may be missing behind it is that it is not that file. At the very start,
 * where there is no content to be found by, its own.
 */
uint32_t place_identity(const struct generation *generation, uint64_t offset);

/* The mark of a place in a generation. */
struct cursor_mark place_mark(const struct generation *generation, uint64_t offset, uint64_t fingerprint);

/* Puts the place into the part of an id that is its file's. */
void place_to_cursor(const struct place *place, enum cursor_file file, struct cursor *cursor);

/* The same, but of one within a line that is open, of where that begins. */
void place_to_line_cursor(const struct place *place, enum cursor_file file, struct cursor *cursor);

/* Whether nothing lies behind it: all that follows is empty, too, and nothing is missing there (a file that
 * was rotated away may have its writer still). */
bool place_is_last(const struct place *place);

/* To the start of what follows its generation, which ended or was lost. */
void place_advance(struct place *place);

/*
 * Reads exactly length bytes at offset. 0; -EAGAIN: listen to the source and come again;
 * -ENODATA: they are not there (any more): a look will say what happened; other -errno.
 */
int place_read(struct generation *generation, uint64_t offset, void *to, size_t length);

/* Learns generation->head if fingerprints at offset need it. 0 or as place_read(). */
int place_learn_head(struct generation *generation, uint64_t offset);

/*
 * The fingerprint at offset of a generation, and whether a line is open there, by reading the
 * window before it. At 0 both are 0. 0 or as place_read().
 */
int place_fingerprint(struct generation *generation, uint64_t offset, uint64_t *ret_fingerprint,
                      bool *ret_is_open);

/*
 * For a place at the end of its generation: whether what lies before it is what it was, should it have been
 * written to without growing. 0; -ESTALE: it is not, and the generation is lost now; else as place_read().
 */
int place_verify_end(const struct place *place);

/* Whether a generation holds a mark: it is of its file, and what lies before is what it was. 0; -ENOENT: it
 * does not, or cannot be read; -EAGAIN: as place_read(). */
int place_holds(struct generation *generation, const struct cursor_mark *mark);

#endif
