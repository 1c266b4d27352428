#include <check.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reference.h"
#include "model/json_text.h"
#include "model/utf8.h"

enum { LONGEST = 300 };

/* Escapes text in blocks of their exact sizes, for the sanitizer, and compares. */
static void
compare(const uint8_t *text, size_t length)
{
	static char expected[LONGEST * 7 + 1];
	uint8_t *from = malloc(length > 0 ? length : 1);
	char *to = malloc(length > 0 ? length * JSON_ESCAPE_MOST : 1);
	bool lossy, expected_lossy;
	size_t n, expected_length = json_reference_escape(text, length, expected, &expected_lossy);

	ck_assert_uint_le(length, LONGEST);
	memcpy(from, text, length);
	n = json_escape(from, length, to, &lossy);
	if (n != expected_length || memcmp(to, expected, n) != 0 || lossy != expected_lossy) {
		fprintf(stderr, "text:");
		for (size_t i = 0; i < length; i++)
			fprintf(stderr, " %02x", text[i]);
		ck_abort_msg("\"%.*s\" (%d) and not \"%.*s\" (%d)", (int)n, to, lossy,
		             (int)expected_length, expected, expected_lossy);
	}
	free(from);
	free(to);
}

static void
assert_escaped(const char *text, size_t length, const char *expected, bool expected_lossy)
{
	char to[1024];
	bool lossy;
	size_t n = json_escape((const uint8_t *)text, length, to, &lossy);

	to[n] = '\0';
	ck_assert_str_eq(to, expected);
	ck_assert_int_eq(lossy, expected_lossy);
	compare((const uint8_t *)text, length);
}

START_TEST(writes_these_bytes)
{
	assert_escaped("", 0, "", false);
	assert_escaped("plain", 5, "plain", false);
	assert_escaped("a\"b\\c/d", 7, "a\\\"b\\\\c/d", false);
	assert_escaped("\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t", false);
	assert_escaped("\0\x01\x0b\x1f\x7f", 5, "\\u0000\\u0001\\u000b\\u001f\x7f", false);
	assert_escaped("\033[31mred\033[0m", 12, "\\u001b[31mred\\u001b[0m", false);
	assert_escaped("\xc3\xbc \xe2\x82\xac \xf0\x9f\x9a\x80", 11, "\xc3\xbc \xe2\x82\xac \xf0\x9f\x9a\x80", false);
	assert_escaped("\xe2\x80\xa8", 3, "\xe2\x80\xa8", false); /* U+2028 is no end of a line in SSE */
}
END_TEST

START_TEST(replaces_maximal_subparts)
{
	static const char r[] = "\xef\xbf\xbd";
	char expected[64];

	assert_escaped("\xff", 1, r, true);
	snprintf(expected, sizeof(expected), "caf%s!", r);
	assert_escaped("caf\xe9!", 5, expected, true);
	/* Table 3-8 of the Unicode Standard: an overlong form is one for each byte. */
	snprintf(expected, sizeof(expected), "%s%s%s%s%s%s%s%sA", r, r, r, r, r, r, r, r);
	assert_escaped("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82" "A", 9, expected, true);
	/* Table 3-9: a surrogate. */
	snprintf(expected, sizeof(expected), "%s%s%s%s%s%s%s%sA", r, r, r, r, r, r, r, r);
	assert_escaped("\xed\xa0\x80\xed\xbf\xbf\xed\xaf" "A", 9, expected, true);
	/* Table 3-11: sequences that are cut off are one each. */
	snprintf(expected, sizeof(expected), "%s%s%s%sA", r, r, r, r);
	assert_escaped("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf" "A", 9, expected, true);
	/* U+FFFD itself is nothing lost. */
	assert_escaped(r, 3, r, false);
}
END_TEST

/* Each two bytes, and a third at the borders, with and without text around them, which decides
 * which way they are taken. */
START_TEST(agrees_on_short_sequences)
{
	static const uint8_t thirds[] = { 0x00, 0x20, '"', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2,
		                          0xe0, 0xe1, 0xed, 0xf0, 0xf1, 0xf4, 0xff };
	static const char around[] = "\xd0\x96\xd0\x96 \xd0\x96\xd0\x96\xd0\x96___\xd0\x96 \xe4\xbd\xa0 12345678901234567890";
	enum { AT = 11, LENGTH = sizeof(around) - 1, THIRDS = sizeof(thirds) };
	uint8_t text[LENGTH];
	char to[LENGTH * JSON_ESCAPE_MOST], expected[LENGTH * 7 + 1];

	memcpy(text, around, LENGTH);
	for (uint32_t i = 0; i < 0x10000 * THIRDS; i++) {
		uint8_t bytes[3] = { (uint8_t)(i / THIRDS >> 8), (uint8_t)(i / THIRDS), thirds[i % THIRDS] };
		bool lossy, expected_lossy;
		size_t n = json_escape(bytes, 3, to, &lossy);

		if (n != json_reference_escape(bytes, 3, expected, &expected_lossy) ||
		    memcmp(to, expected, n) != 0 || lossy != expected_lossy)
			ck_abort_msg("%02x %02x %02x alone", bytes[0], bytes[1], bytes[2]);
		if (bytes[0] < 0x80)
			continue;
		memcpy(text + AT, bytes, 3);
		n = json_escape(text, LENGTH, to, &lossy);
		if (n != json_reference_escape(text, LENGTH, expected, &expected_lossy) ||
		    memcmp(to, expected, n) != 0 || lossy != expected_lossy)
			ck_abort_msg("%02x %02x %02x in text", bytes[0], bytes[1], bytes[2]);
	}
}
END_TEST

START_TEST(agrees_wherever_a_byte_stands)
{
	for (size_t length = 1; length <= 50; length++)
		for (size_t at = 0; at < length; at++)
			for (unsigned c = 0; c < 256; c += c == 0x30 ? 0x20 : 1) {
				uint8_t text[50];

				memset(text, 'x', sizeof(text));
				text[at] = (uint8_t)c;
				compare(text, length);
			}
}
END_TEST

static uint64_t random_state;

static uint32_t
random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

/* Text of a kind that is mostly good, so that long stretches are, with mistakes in it. */
static size_t
make_text(uint8_t *text)
{
	static const char *const pieces[] = {
		"plain text of some length, ", "x", "\"", "\\", "\n", "\033[1m", "\xc3\xa9", "\xd0\xb6", "\xdf\xbf",
		"\xe0\xa0\x80", "\xe0\xb8\x81", "\xe4\xbd\xa0", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf0\x9f\x9a\x80", "\xf3\xa0\x80\x81", "\xf4\x8f\xbf\xbf"
	};
	enum { PIECES = sizeof(pieces) / sizeof(pieces[0]) };
	uint32_t first = random_below(PIECES), kinds = 1 + random_below(PIECES - first);
	size_t length = 0, wanted = random_below(LONGEST);

	while (length < wanted) {
		const char *piece = pieces[first + random_below(kinds)];
		size_t n = strlen(piece);

		if (length + n > LONGEST)
			break;
		memcpy(text + length, piece, n);
		length += n;
	}
	for (uint32_t mistakes = random_below(4); mistakes > 0 && length > 0; mistakes--)
		text[random_below((uint32_t)length)] = (uint8_t)random_below(256);
	return length;
}

START_TEST(agrees_on_random_text)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20260204;

	printf("json_text: TEST_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	random_state = seed * 2654435761u + 1;
	for (int i = 0; i < 50000; i++) {
		uint8_t text[LONGEST];

		compare(text, make_text(text));
	}
}
END_TEST

START_TEST(a_json_parser_reads_it_back)
{
	random_state = 7;
	for (int i = 0; i < 2000; i++) {
		uint8_t text[LONGEST];
		char line[LONGEST * JSON_ESCAPE_MOST + 3];
		size_t length = make_text(text), n;
		struct json_object *read;
		bool lossy;

		line[0] = '"';
		n = json_escape(text, length, line + 1, &lossy);
		line[n + 1] = '"';
		line[n + 2] = '\0';
		ck_assert(utf8_valid((const uint8_t *)line, n + 2));
		ck_assert_ptr_null(memchr(line, '\n', n + 2));
		read = json_tokener_parse(line);
		ck_assert_ptr_nonnull(read);
		ck_assert_int_eq(lossy, !utf8_valid(text, length));
		if (!lossy) {
			ck_assert_int_eq(json_object_get_string_len(read), (int)length);
			ck_assert_mem_eq(json_object_get_string(read), text, length);
		}
		json_object_put(read);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json_text");
	TCase *tests = tcase_create("escape");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, writes_these_bytes);
	tcase_add_test(tests, replaces_maximal_subparts);
	tcase_add_test(tests, agrees_on_short_sequences);
	tcase_add_test(tests, agrees_wherever_a_byte_stands);
	tcase_add_test(tests, agrees_on_random_text);
	tcase_add_test(tests, a_json_parser_reads_it_back);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
