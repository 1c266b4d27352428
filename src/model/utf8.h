/* UTF-8 as Unicode 15, section 3.9 defines it (no overlong forms, no surrogates). */
#ifndef MODEL_UTF8_H
#define MODEL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looks at the start of text (length >= 1). Returns the length, 1 to 4, of the well-formed
 * sequence there; or, where it is ill-formed or cut off, minus the length, 1 to 3, of the maximal
 * subpart, which becomes one U+FFFD (Unicode 15, 3.9; the WHATWG Encoding Standard's decoder).
 */
int utf8_next(const uint8_t *text, size_t length);

bool utf8_valid(const uint8_t *text, size_t length);

/*
 * Where text may be cut: the largest n <= length such that text[0..n) does not end inside a
 * sequence which more bytes could complete. At least length - 3; bytes that are ill-formed
 * whatever follows hold nothing back.
 */
size_t utf8_cut(const uint8_t *text, size_t length);

#endif
