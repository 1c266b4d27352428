#include "model/utf8.h"

/* What a lead byte announces: how many bytes, and which second byte it allows (table 3-7). */
struct lead {
	int length; /* 0: not a lead byte */
	uint8_t second_from, second_to;
};

static struct lead
read_lead(uint8_t c)
{
	if (c < 0xc2 || c > 0xf4)
		return (struct lead){ 0, 0, 0 };
	if (c < 0xe0)
		return (struct lead){ 2, 0x80, 0xbf };
	if (c < 0xf0)
		return (struct lead){ 3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
	return (struct lead){ 4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
}

static bool
is_continuation(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

int
utf8_next(const uint8_t *text, size_t length)
{
	struct lead lead;

	if (text[0] < 0x80)
		return 1;
	lead = read_lead(text[0]);
	if (lead.length == 0 || length < 2 || text[1] < lead.second_from || text[1] > lead.second_to)
		return -1;
	for (int i = 2; i < lead.length; i++)
		if ((size_t)i >= length || !is_continuation(text[i]))
			return -i;
	return lead.length;
}

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

size_t
utf8_cut(const uint8_t *text, size_t length)
{
	/* A lead byte always begins a sequence, so only the last one can be unfinished. */
	for (size_t back = 1; back <= 3 && back <= length; back++) {
		const uint8_t *at = text + length - back;
		struct lead lead;

		if (is_continuation(at[0]))
			continue;
		lead = read_lead(at[0]);
		if ((size_t)lead.length <= back)
			break;
		if (back > 1 && (at[1] < lead.second_from || at[1] > lead.second_to))
			break;
		return length - back;
	}
	return length;
}
