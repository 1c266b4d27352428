/*
 * What may name a run, a project or a task. Each is a folder's name and a segment of a path in
 * a URL, so the grammar is that of a folder's name, less what would mislead somebody on the way:
 *
 * - 1 to 128 bytes of valid UTF-8;
 * - no '/', and no '\', which browsers turn into '/' (WHATWG URL, 4.4);
 * - no control characters: U+0000 to U+001F, U+007F, U+0080 to U+009F;
 * - not "." and not "..". Other names may begin with a dot: whether such folders are looked at is
 *   for discovery to say, not for the grammar.
 *
 * Blanks, quotes and anything else that prints are allowed: these names were made by others.
 */
#ifndef MODEL_RUN_ID_H
#define MODEL_RUN_ID_H

#include <stdbool.h>
#include <stddef.h>

enum { RUN_ID_BYTES = 128 };

/* text: as decoded; need not be NUL-terminated. */
bool run_id_valid(const char *text, size_t length);

#endif
