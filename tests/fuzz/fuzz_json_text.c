/* Escaping for JSON and cutting of UTF-8, compared with the slow way of the standards. */
#include <stdlib.h>
#include <string.h>

#include "../unit/json_reference.h"
#include "base/must.h"
#include "fuzz.h"
#include "model/json_text.h"
#include "model/utf8.h"

static void
check_escape(const uint8_t *data, size_t size)
{
	char *to = malloc(size * JSON_ESCAPE_MOST + 1), *expected = malloc(size * 7 + 1);
	bool lossy, expected_lossy;
	size_t length;

	must(to && expected);
	length = json_escape(data, size, to, &lossy);
	must(length == json_reference_escape(data, size, expected, &expected_lossy));
	must(memcmp(to, expected, length) == 0 && lossy == expected_lossy);
	must(lossy == !utf8_valid(data, size));
	must(utf8_valid((const uint8_t *)to, length));
	must(!memchr(to, '\n', length) && !memchr(to, '\r', length));
	free(to);
	free(expected);
}

/* Escaped in two parts, cut where it may be, text is what it is in one. */
static void
check_cut(const uint8_t *data, size_t size)
{
	char *whole = malloc(size * JSON_ESCAPE_MOST + 1), *parts = malloc(size * JSON_ESCAPE_MOST + 1);
	size_t cut = utf8_cut(data, size / 2), first, length;
	bool lossy, first_lossy, second_lossy;

	must(whole && parts);
	must(cut <= size / 2 && size / 2 - cut <= 3);
	length = json_escape(data, size, whole, &lossy);
	first = json_escape(data, cut, parts, &first_lossy);
	must(first + json_escape(data + cut, size - cut, parts + first, &second_lossy) == length);
	must(memcmp(whole, parts, length) == 0 && lossy == (first_lossy || second_lossy));
	free(whole);
	free(parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_escape(data, size);
	check_cut(data, size);
	return 0;
}
