#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/utf8.h"

/* --- a reference: the well-formed sequences, by decoding and encoding again --------------------- */

static size_t
encode(uint32_t point, uint8_t to[4])
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (uint8_t)(0xc0 | point >> 6);
		to[1] = (uint8_t)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (uint8_t)(0xe0 | point >> 12);
		to[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (point & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | point >> 18);
	to[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (point & 0x3f));
	return 4;
}

/* Which prefixes of one to four bytes some well-formed sequence has: a bit for each. */
static uint8_t (*is_prefix)[1 << 21]; /* by length - 1 and the bytes, of which the lead is 0xc0 and above */

static size_t
place(const uint8_t *bytes, size_t length)
{
	size_t at = bytes[0] & 0x3f;

	/* Continuations count six bits each, so up to three bytes fit. */
	for (size_t i = 1; i < length && i < 3; i++)
		at = at << 6 | (bytes[i] & 0x3f);
	return at;
}

static void
make_prefixes(void)
{
	is_prefix = calloc(3, sizeof(*is_prefix));
	ck_assert_ptr_nonnull(is_prefix);
	for (uint32_t point = 0x80; point < 0x110000; point++) {
		uint8_t bytes[4];
		size_t length = encode(point, bytes);

		if (point >= 0xd800 && point < 0xe000)
			continue;
		for (size_t i = 1; i <= length && i <= 3; i++)
			is_prefix[i - 1][place(bytes, i)] = (uint8_t)length;
	}
}

static bool
continues(const uint8_t *bytes, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return false;
	return bytes[0] >= 0xc0 && is_prefix[length - 1][place(bytes, length)];
}

/* The maximal subpart, by definition: the longest prefix of any well-formed sequence. */
static int
expected_next(const uint8_t *text, size_t length)
{
	size_t longest = 1;

	if (text[0] < 0x80)
		return 1;
	for (size_t n = 1; n <= length && n <= 3 && continues(text, n); n++) {
		size_t whole = is_prefix[n - 1][place(text, n)];

		longest = n;
		if (n == whole)
			return (int)n;
		if (n == 3 && length > 3 && text[3] >= 0x80 && text[3] <= 0xbf)
			return 4;
	}
	return -(int)longest;
}

static size_t
expected_cut(const uint8_t *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		int n = expected_next(text + at, length - at);

		if (n < 0 && at + (size_t)-n == length && continues(text + at, length - at))
			return at; /* a prefix of something, and nothing behind it */
		at += (size_t)(n < 0 ? -n : n);
	}
	return length;
}

/* --- tests --------------------------------------------------------------------------------------- */

/* Not ck_assert() in the loops below: it costs more than what is tested. */
static bool
knows(uint32_t point)
{
	uint8_t bytes[4];
	size_t length = encode(point, bytes);

	if (point >= 0xd800 && point < 0xe000)
		return !utf8_valid(bytes, length);
	for (size_t cut = 1; cut < length; cut++)
		if (utf8_next(bytes, cut) != -(int)cut || utf8_cut(bytes, cut) != 0)
			return false;
	return utf8_valid(bytes, length) && utf8_next(bytes, length) == (int)length &&
	       utf8_cut(bytes, length) == length;
}

START_TEST(knows_every_character)
{
	for (uint32_t point = 0; point < 0x110000; point++)
		if (!knows(point))
			ck_abort_msg("U+%04X", point);
}
END_TEST

static void
agree(const uint8_t *bytes, size_t length)
{
	if (utf8_next(bytes, length) != expected_next(bytes, length) ||
	    utf8_cut(bytes, length) != expected_cut(bytes, length))
		ck_abort_msg("%zu bytes of %02x %02x %02x %02x", length, bytes[0], bytes[1], bytes[2],
		             bytes[3]);
}

START_TEST(agrees_on_all_of_one_to_three_bytes)
{
	make_prefixes();
	for (uint32_t value = 0; value < 1 << 24; value++) {
		uint8_t bytes[4] = { (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

		if ((value & 0xffff) == 0)
			agree(bytes, 1);
		if ((value & 0xff) == 0)
			agree(bytes, 2);
		/* What three bytes are that begin with less was seen in two. */
		if (bytes[0] >= 0xc0)
			agree(bytes, 3);
	}
	free(is_prefix);
}
END_TEST

START_TEST(agrees_on_four_bytes_at_the_borders)
{
	static const uint8_t borders[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
		                           0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
		                           0xf5, 0xff };
	enum { BORDERS = sizeof(borders) };

	make_prefixes();
	for (uint32_t i = 0; i < BORDERS * BORDERS * BORDERS * BORDERS; i++) {
		uint8_t bytes[4];

		for (uint32_t j = 0, rest = i; j < 4; j++, rest /= BORDERS)
			bytes[j] = borders[rest % BORDERS];
		agree(bytes, 4);
	}
	free(is_prefix);
}
END_TEST

START_TEST(cuts_nothing_of_nothing)
{
	ck_assert_uint_eq(utf8_cut((const uint8_t *)"", 0), 0);
	ck_assert(utf8_valid((const uint8_t *)"", 0));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tests = tcase_create("utf8");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, knows_every_character);
	tcase_add_test(tests, agrees_on_all_of_one_to_three_bytes);
	tcase_add_test(tests, agrees_on_four_bytes_at_the_borders);
	tcase_add_test(tests, cuts_nothing_of_nothing);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
