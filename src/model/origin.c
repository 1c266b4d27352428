#include "model/origin.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "model/word_list.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* strspn() of a text that does not end with a NUL. */
static size_t
span(const char *text, size_t length, const char *accepted)
{
	size_t n = 0;

	while (n < length && text[n] != '\0' && strchr(accepted, text[n]))
		n++;
	return n;
}

/* A name or an IPv4 address, or an IPv6 address in brackets; nobody is looked up by it. */
static size_t
span_host(const char *text, size_t length)
{
	size_t n;

	if (length == 0 || *text != '[')
		return span(text, length, LETTERS DIGITS "-._");
	n = 1 + span(text + 1, length - 1, "abcdefABCDEF" DIGITS ":.");
	return n > 1 && n < length && text[n] == ']' ? n + 1 : 0;
}

bool
origin_valid(const char *text, size_t length)
{
	size_t n = span(text, length, LETTERS DIGITS "+-.");
	uint64_t port;

	if (n == 0 || !strchr(LETTERS, *text) || length - n < 3 || memcmp(text + n, "://", 3) != 0)
		return false;
	text += n + 3;
	length -= n + 3;
	n = span_host(text, length);
	if (n == 0 || n == length)
		return n > 0;
	return text[n] == ':' && num_parse_u64(text + n + 1, length - n - 1, &port) == 0 && port > 0 &&
	       port <= UINT16_MAX;
}

bool
origin_list_is_any(const char *list)
{
	return strcmp(list, "*") == 0;
}

bool
origin_list_has(const char *list, const char *origin)
{
	const char *word;
	size_t length;

	if (origin_list_is_any(list))
		return true;
	/* Scheme and host know no case (RFC 3986, 6.2.2.1), and there is nothing else in it. */
	while (word_list_next(&list, &word, &length))
		if (strlen(origin) == length && strncasecmp(word, origin, length) == 0)
			return true;
	return false;
}
