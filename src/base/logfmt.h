/*
 * Text of the form key=value key=value, in which values come from anywhere: what is in a value can
 * neither begin another key nor another line, nor move a terminal's cursor.
 */
#ifndef BASE_LOGFMT_H
#define BASE_LOGFMT_H

#include <stdarg.h>
#include <stddef.h>

enum { LOGFMT_VALUE_BYTES = 1024 }; /* of a value, as it is written, at most; what is cut ends in "..." */

/*
 * As vsnprintf(3), with what has to be formatted in a log: %s, %.*s, %c, and integers (d, i, u, x with
 * l, ll, z, j). A %s is written as a value: as it stands if that is a plain word, else in quotes, or
 * if it stands between quotes already, as what may stand there. Quotes and backslashes get a
 * backslash before them; control characters and all bytes above ASCII are written as \xHH. NULL is "".
 * The text is cut at capacity, between values at best. Returns its length without the NUL.
 */
size_t logfmt_vformat(char *to, size_t capacity, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* One value, of at most length bytes or up to its NUL. Returns as above. */
size_t logfmt_value(char *to, size_t capacity, const char *value, size_t length);

#endif
