/*
 * What json_escape() has to write, slowly and by the letter of the standards, for the tests to
 * compare with: the UTF-8 decoder of the WHATWG Encoding Standard (8.1.1), character by
 * character into the strings of RFC 8259.
 */
#ifndef UNIT_JSON_REFERENCE_H
#define UNIT_JSON_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_reference {
	char *to;
	size_t length;
	bool lossy;
};

static inline void
json_reference_emit(struct json_reference *r, uint32_t point)
{
	char *to = r->to + r->length;

	switch (point) {
	case '"':
	case '\\':
		r->length += (size_t)sprintf(to, "\\%c", (int)point);
		return;
	case '\b':
		r->length += (size_t)sprintf(to, "\\b");
		return;
	case '\f':
		r->length += (size_t)sprintf(to, "\\f");
		return;
	case '\n':
		r->length += (size_t)sprintf(to, "\\n");
		return;
	case '\r':
		r->length += (size_t)sprintf(to, "\\r");
		return;
	case '\t':
		r->length += (size_t)sprintf(to, "\\t");
		return;
	default:
		break;
	}
	if (point < 0x20) {
		r->length += (size_t)sprintf(to, "\\u%04x", point);
	} else if (point < 0x80) {
		to[0] = (char)point;
		r->length += 1;
	} else if (point < 0x800) {
		to[0] = (char)(0xc0 | point >> 6);
		to[1] = (char)(0x80 | (point & 0x3f));
		r->length += 2;
	} else if (point < 0x10000) {
		to[0] = (char)(0xe0 | point >> 12);
		to[1] = (char)(0x80 | (point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (point & 0x3f));
		r->length += 3;
	} else {
		to[0] = (char)(0xf0 | point >> 18);
		to[1] = (char)(0x80 | (point >> 12 & 0x3f));
		to[2] = (char)(0x80 | (point >> 6 & 0x3f));
		to[3] = (char)(0x80 | (point & 0x3f));
		r->length += 4;
	}
}

/* to: seven bytes for each of text, since sprintf() ends with a NUL. Returns the length. */
static inline size_t
json_reference_escape(const uint8_t *text, size_t length, char *to, bool *ret_lossy)
{
	struct json_reference r = { .to = to };
	uint32_t point = 0;
	int seen = 0, needed = 0;
	uint8_t lower = 0x80, upper = 0xbf;

	for (size_t i = 0; i <= length; i++) {
		uint8_t byte = i < length ? text[i] : 0;

		if (i == length) {
			if (needed > 0) {
				json_reference_emit(&r, 0xfffd);
				r.lossy = true;
			}
			break;
		}
		if (needed == 0) {
			if (byte < 0x80) {
				json_reference_emit(&r, byte);
			} else if (byte >= 0xc2 && byte <= 0xdf) {
				needed = 1;
				point = byte & 0x1f;
			} else if (byte >= 0xe0 && byte <= 0xef) {
				if (byte == 0xe0)
					lower = 0xa0;
				if (byte == 0xed)
					upper = 0x9f;
				needed = 2;
				point = byte & 0xf;
			} else if (byte >= 0xf0 && byte <= 0xf4) {
				if (byte == 0xf0)
					lower = 0x90;
				if (byte == 0xf4)
					upper = 0x8f;
				needed = 3;
				point = byte & 0x7;
			} else {
				json_reference_emit(&r, 0xfffd);
				r.lossy = true;
			}
			continue;
		}
		if (byte < lower || byte > upper) {
			point = 0;
			needed = seen = 0;
			lower = 0x80;
			upper = 0xbf;
			i--; /* "restore byte to ioQueue" */
			json_reference_emit(&r, 0xfffd);
			r.lossy = true;
			continue;
		}
		lower = 0x80;
		upper = 0xbf;
		point = point << 6 | (byte & 0x3f);
		if (++seen == needed) {
			json_reference_emit(&r, point);
			point = 0;
			needed = seen = 0;
		}
	}
	*ret_lossy = r.lossy;
	return r.length;
}

#endif
