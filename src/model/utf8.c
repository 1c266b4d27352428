#include "model/utf8.h"

bool
utf8_valid(const uint8_t *text, size_t length)
{
	while (length > 0) {
		int n = utf8_next(text, length);

		if (n < 0)
			return false;
		text += n;
		length -= (size_t)n;
	}
	return true;
}

/* The length that a lead byte announces; 1 for any other byte. */
static size_t
announced(uint8_t lead)
{
	if (lead < 0xc2 || lead > 0xf4)
		return 1;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t
utf8_cut(const uint8_t *text, size_t length)
{
	/* A lead byte always begins a sequence, so only the last one can be unfinished. */
	for (size_t back = 1; back <= 3 && back <= length; back++) {
		const uint8_t *at = text + length - back;

		if (utf8_is_continuation(at[0]))
			continue;
		if (announced(at[0]) <= back || (back > 1 && !utf8_may_follow(at[0], at[1])))
			break;
		return length - back;
	}
	return length;
}
