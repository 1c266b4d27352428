/*
 * Ids of streams of one file: what the file's users count in, and parts that let the server go on
 * there at once and check that the file is the same.
 *
 *   id     = name *(";" part)
 *   name   = a byte offset (of a single file), a seq (of recorded events), a msg_id
 *   part   = "n=" number      lines before the place (of message buses)
 *          / "o=" mark        as in cursor.h
 *          / "end=1"          the id of the end
 *
 * A name may hold anything, so parts are read from the end: what is no part belongs to the name.
 */
#ifndef MODEL_ENTRY_ID_H
#define MODEL_ENTRY_ID_H

#include "model/cursor.h"

struct entry_id {
	const char *name; /* borrowed from the text; not NUL-terminated */
	size_t name_length;
	bool is_end, has_lines, has_mark;
	uint64_t lines;
	struct cursor_mark mark;
};

enum { ENTRY_ID_PARTS_BYTES = 3 + 20 + 3 + CURSOR_MARK_TEXT_BYTES + 6 };

/* Never fails: an id that is not the server's is all name. */
void entry_id_parse(const char *text, size_t length, struct entry_id *ret_id);

/* The name as a number. 0, or -EINVAL. */
int entry_id_number(const struct entry_id *id, uint64_t *ret_number);

/* Writes the parts that follow the name; returns their length. */
size_t entry_id_format_parts(const struct entry_id *id, char ret_text[static ENTRY_ID_PARTS_BYTES]);

#endif
