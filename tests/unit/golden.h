/*
 * Comparing with a file in tests/golden. With UPDATE_GOLDEN set, the file is written
 * instead: look at the difference before it is committed.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void
golden_check(const char *name, const char *bytes, size_t length)
{
	const char *top = getenv("srcdir"); /* set by automake */
	char path[512];
	char *expected;
	size_t expected_length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/golden/%s", top ? top : ".", name);
	if (getenv("UPDATE_GOLDEN")) {
		file = fopen(path, "w");
		ck_assert_msg(file != NULL, "cannot write %s", path);
		ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
		ck_assert_int_eq(fclose(file), 0);
		return;
	}
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "cannot read %s", path);
	expected = malloc(length + 2);
	ck_assert_ptr_nonnull(expected);
	/* One byte more than there should be tells a longer file. */
	expected_length = fread(expected, 1, length + 1, file);
	fclose(file);
	if (expected_length != length || memcmp(expected, bytes, length) != 0) {
		size_t at = 0, line = 0;

		while (at < length && at < expected_length && bytes[at] == expected[at])
			if (bytes[at++] == '\n')
				line = at;
		/* Check takes no message that is much longer. */
		ck_abort_msg("differs from %s at byte %zu:\n%.*s", path, at,
		             (int)(length - line < 2000 ? length - line : 2000), bytes + line);
	}
	free(expected);
}

#endif
