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
static inline int utf8_next(const uint8_t *text, size_t length);

bool utf8_valid(const uint8_t *text, size_t length);

/*
 * Where text may be cut: the largest n <= length such that text[0..n) does not end inside a
 * sequence which more bytes could complete. At least length - 3; bytes that are ill-formed
 * whatever follows hold nothing back.
 */
size_t utf8_cut(const uint8_t *text, size_t length);

/* --- inside: utf8_next() runs for every character of a log that is not English ----------------- */

static inline bool
utf8_is_continuation(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Whether second may follow lead in a sequence of three or four bytes (table 3-7): this is where
 * overlong forms, surrogates and what is above U+10FFFF are kept out. */
static inline bool
utf8_may_follow(uint8_t lead, uint8_t second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return utf8_is_continuation(second);
	}
}

static inline int
utf8_next(const uint8_t *text, size_t length)
{
	uint8_t lead = text[0];

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4 || length < 2)
		return -1;
	if (lead < 0xe0)
		return utf8_is_continuation(text[1]) ? 2 : -1;
	if (!utf8_may_follow(lead, text[1]))
		return -1;
	if (length < 3 || !utf8_is_continuation(text[2]))
		return -2;
	if (lead < 0xf0)
		return 3;
	return length >= 4 && utf8_is_continuation(text[3]) ? 4 : -3;
}

#endif
