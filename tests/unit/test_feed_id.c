#include "model/feed_id.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static const struct feed_point point = { .trail = 0xfedcba9876543210, .feed = 7, .tick = 0x1a };

static const char *
format(const struct feed_id *id)
{
	static char text[FEED_ID_BYTES + 1];
	size_t length = feed_id_format(id, text);

	ck_assert_uint_le(length, FEED_ID_BYTES);
	text[length] = '\0';
	return text;
}

static int
parse(const char *text, struct feed_id *ret_id)
{
	return feed_id_parse(text, strlen(text), ret_id);
}

START_TEST(an_id_is_read_as_it_was_written)
{
	struct feed_id id = { .point = point }, read;

	ck_assert_str_eq(format(&id), "f=fedcba9876543210.7.1a");
	id.has_member = true;
	id.member = 12;
	ck_assert_str_eq(format(&id), "f=fedcba9876543210.7.1a;m=12");
	ck_assert_int_eq(parse(format(&id), &read), 0);
	ck_assert(read.has_member && !read.has_mark && !read.is_walk);
	ck_assert_uint_eq(read.member, 12);
	ck_assert_uint_eq(read.point.trail, point.trail);
	ck_assert_uint_eq(read.point.feed, 7);
	ck_assert_uint_eq(read.point.tick, 0x1a);
}
END_TEST

START_TEST(a_walk_says_where_it_is_and_where_the_rest_begins)
{
	struct feed_id id = { .point = point, .is_walk = true, .slot = 41, .registry = 0xbeef,
		              .begins = true }, read;

	ck_assert_str_eq(format(&id), "f=fedcba9876543210.7.1a;w=41.beef;b=s");
	ck_assert_int_eq(parse(format(&id), &read), 0);
	ck_assert(read.is_walk && read.begins);
	id.begins = false;
	id.tail_entries = 20;
	id.base = (struct feed_point){ .trail = 1, .feed = 2, .tick = 3 };
	ck_assert_str_eq(format(&id), "f=fedcba9876543210.7.1a;w=41.beef;b=20@1.2.3");
	ck_assert_int_eq(parse(format(&id), &read), 0);
	ck_assert(read.is_walk && !read.begins);
	ck_assert_uint_eq(read.slot, 41);
	ck_assert_uint_eq(read.registry, 0xbeef);
	ck_assert_uint_eq(read.tail_entries, 20);
	ck_assert_uint_eq(read.base.tick, 3);
}
END_TEST

START_TEST(the_mark_says_of_which_file_it_is)
{
	struct cursor_mark mark = { .offset = 123, .identity = 5, .fingerprint = 6 };
	char text[] = "f=1.2.3;m=4;r=######################;l=99";
	struct feed_id id;

	cursor_format_mark(&mark, strchr(text, '#'));
	ck_assert_int_eq(parse(text, &id), 0);
	ck_assert(id.has_mark && id.file == CURSOR_STDERR);
	ck_assert_uint_eq(id.mark.offset, 123);
	ck_assert_uint_eq(id.lines, 99);
	*strchr(text, 'r') = 'o';
	ck_assert_int_eq(parse(text, &id), 0);
	ck_assert(id.has_mark && id.file == CURSOR_STDOUT);
}
END_TEST

START_TEST(a_part_of_a_later_version_is_passed_over)
{
	struct feed_id id;

	ck_assert_int_eq(parse("f=1.2.3;z=whatever;m=4", &id), 0);
	ck_assert_uint_eq(id.member, 4);
}
END_TEST

START_TEST(what_is_none_of_ours_is_refused)
{
	static const char *const others[] = {
		"", "12", "s=1;e=2", "MSG-1", "f=", "f=1", "f=1.2", "f=1.2.", "f=1.2.3;", "f=1.2.3;m",
		"f=1.2.3;m=", "f=1.2.3;m=-1", "f=1.2.3;m=4294967296", "f=1.2.3;m=1;m=1",
		"f=1.2.123456789abcdef01", "f=1.123456789.1", "f=1.2.3G", "f=1.2.3;w=1.2", "f=1.2.3;b=s",
		"f=1.2.3;w=1.2;b=", "f=1.2.3;w=1;b=s", "f=1.2.3;w=1.2;b=1@", "f=1.2.3;w=1.2;b=1@1.2",
		"f=1.2.3;l=1", "f=1.2.3;o=short", "m=1;f=1.2.3", " f=1.2.3", "f=0a1b2c3d-17",
	};
	struct feed_id id = { .member = 77 };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(parse(others[i], &id) == -EINVAL, "%s", others[i]);
	ck_assert_uint_eq(id.member, 77);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed_id");
	TCase *tcase = tcase_create("feed_id");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, an_id_is_read_as_it_was_written);
	tcase_add_test(tcase, a_walk_says_where_it_is_and_where_the_rest_begins);
	tcase_add_test(tcase, the_mark_says_of_which_file_it_is);
	tcase_add_test(tcase, a_part_of_a_later_version_is_passed_over);
	tcase_add_test(tcase, what_is_none_of_ours_is_refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
