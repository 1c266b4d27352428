/* Text as the inside of a JSON string (RFC 8259, section 7). */
#ifndef MODEL_JSON_TEXT_H
#define MODEL_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { JSON_ESCAPE_MOST = 6 }; /* most bytes written for a byte read */

/*
 * Writes text, escaped, and without quotes around it: '"' and '\' get a backslash, the controls
 * U+0000 to U+001F their short form or \u00XX; all else is copied. What is not UTF-8 becomes
 * U+FFFD, one for each maximal subpart (see utf8_next()), and *ret_lossy is then true, else
 * false. So the result is always valid JSON, valid UTF-8, and one line.
 *
 * to has room for JSON_ESCAPE_MOST * length bytes (what lies there beyond the result may be
 * overwritten), and does not overlap text. Returns the number of bytes written; no NUL.
 *
 * text ends where it ends: a sequence that is cut off there is invalid (see utf8_cut()).
 */
size_t json_escape(const uint8_t *text, size_t length, char *to, bool *ret_lossy);

/* Appends text as a JSON string, with its quotes. Returns whether it is lossy. */
bool json_put_string(struct buf *to, const char *text, size_t length);

#endif
