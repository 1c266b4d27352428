#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/target.h"

static struct target target;

static int
parse(const char *uri, const char *prefix)
{
	/* A copy of the exact size, so that reading past it is seen by the sanitizer. */
	size_t length = strlen(uri);
	char *copy = malloc(length > 0 ? length : 1);
	int result;

	memset(&target, 0xa5, sizeof(target));
	memcpy(copy, uri, length);
	result = target_parse(copy, length, prefix, &target);
	free(copy);
	return result;
}

static void
assert_segment(size_t i, const char *text)
{
	ck_assert_uint_lt(i, target.segment_count);
	ck_assert_str_eq(target.segments[i].text, text);
	ck_assert_uint_eq(target.segments[i].length, strlen(text));
}

static void
assert_query(const char *name, const char *text)
{
	struct target_text value;

	ck_assert_int_eq(target_query(&target, name, &value), 0);
	ck_assert_str_eq(value.text, text);
	ck_assert_uint_eq(value.length, strlen(text));
}

static int
query_error(const char *name)
{
	struct target_text value;

	return target_query(&target, name, &value);
}

START_TEST(splits_beneath_the_prefix)
{
	ck_assert_int_eq(parse("/api/v1/runs/run_1/stream", "/api"), 0);
	ck_assert_uint_eq(target.segment_count, 4);
	assert_segment(0, "v1");
	assert_segment(1, "runs");
	assert_segment(2, "run_1");
	assert_segment(3, "stream");
	ck_assert_uint_eq(target.parameter_count, 0);

	ck_assert_int_eq(parse("/logs/api/x", "/logs/api"), 0);
	ck_assert_uint_eq(target.segment_count, 1);
	assert_segment(0, "x");

	ck_assert_int_eq(parse("/metrics", ""), 0);
	ck_assert_uint_eq(target.segment_count, 1);
	assert_segment(0, "metrics");

	ck_assert_int_eq(parse("/api", "/api"), 0);
	ck_assert_uint_eq(target.segment_count, 0);
}
END_TEST

START_TEST(matches_the_prefix_by_whole_segments)
{
	ck_assert_int_eq(parse("/apiary/x", "/api"), -ENOENT);
	ck_assert_int_eq(parse("/ap", "/api"), -ENOENT);
	ck_assert_int_eq(parse("/", "/api"), -ENOENT);
	ck_assert_int_eq(parse("/x/api/y", "/api"), -ENOENT);
	ck_assert_int_eq(parse("/logs", "/logs/api"), -ENOENT);
	ck_assert_int_eq(parse("/logs%2fapi/x", "/logs/api"), -EINVAL);
	ck_assert_int_eq(parse("/%61pi/x", "/api"), 0);
	assert_segment(0, "x");
}
END_TEST

START_TEST(decodes_each_segment_once)
{
	ck_assert_int_eq(parse("/a%20b/%2541/%E2%82%ac/a+b", ""), 0);
	ck_assert_uint_eq(target.segment_count, 4);
	assert_segment(0, "a b");
	assert_segment(1, "%41");
	assert_segment(2, "\xe2\x82\xac");
	assert_segment(3, "a+b"); /* '+' is itself in a path */
}
END_TEST

START_TEST(refuses_bad_encodings)
{
	static const char *const bad[] = { "/%", "/%4", "/%4/1", "/%zz", "/%4g", "/a%/b", "/%%34%31",
		                           "/%-1", "/% 1" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], "") == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(refuses_segments_that_lead_elsewhere)
{
	static const char *const bad[] = { "/a%2fb", "/a%2Fb", "/..%2f..%2fetc", "/a%00", "/%00",
		                           "/%0a",   "/a%7f",  "/a\tb",          "/../x", "/x/..",
		                           "/./x",   "/%2e",   "/%2e%2E/x",      "/.%2e", "/x/.?a=b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], "") == -EINVAL, "%s", bad[i]);
	/* After the last segment that has room as well. */
	ck_assert_int_eq(parse("/1/2/3/4/5/6/7/8/9/10/11/12/13/..", ""), -EINVAL);
}
END_TEST

START_TEST(keeps_empty_segments)
{
	ck_assert_int_eq(parse("/api/v1/runs/", "/api"), 0);
	ck_assert_uint_eq(target.segment_count, 3);
	assert_segment(2, "");
	ck_assert_int_eq(parse("/api//v1", "/api"), 0);
	ck_assert_uint_eq(target.segment_count, 2);
	assert_segment(0, "");
	ck_assert_int_eq(parse("//api/v1", "/api"), -ENOENT);
	ck_assert_int_eq(parse("/", ""), 0);
	ck_assert_uint_eq(target.segment_count, 1);
	assert_segment(0, "");
}
END_TEST

START_TEST(reads_the_absolute_form)
{
	ck_assert_int_eq(parse("http://example.org:8080/api/x?a=b", "/api"), 0);
	ck_assert_uint_eq(target.segment_count, 1);
	assert_segment(0, "x");
	assert_query("a", "b");
	ck_assert_int_eq(parse("HTTPS://[::1]/api/x", "/api"), 0);
	ck_assert_int_eq(parse("http://host", ""), 0);
	assert_segment(0, "");
	ck_assert_int_eq(parse("http://host?a=1", ""), 0);
	assert_query("a", "1");
}
END_TEST

START_TEST(refuses_what_is_no_target)
{
	static const char *const bad[] = { "", "*", "x", "host:443", "?a=b", "ftp://host/x", "/a#b", "#" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], "") == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(bounds_what_it_holds)
{
	static char uri[TARGET_BYTES + 2];

	memset(uri, 'x', sizeof(uri) - 1);
	uri[0] = '/';
	ck_assert_int_eq(parse(uri, ""), -E2BIG);
	uri[TARGET_BYTES] = '\0';
	ck_assert_int_eq(parse(uri, ""), 0);
	ck_assert_uint_eq(target.segments[0].length, TARGET_BYTES - 1);
	/* The most NULs that a target of this length can need. */
	memset(uri, '/', TARGET_BYTES);
	ck_assert_int_eq(parse(uri, ""), -ENOENT);
	memset(uri, '&', TARGET_BYTES);
	memcpy(uri, "/?a&b=&=c&d=%", 13);
	memset(uri + 13, 'd', TARGET_BYTES - 13);
	ck_assert_int_eq(parse(uri, ""), 0);

	ck_assert_int_eq(parse("/1/2/3/4/5/6/7/8/9/10/11/12", ""), 0);
	ck_assert_uint_eq(target.segment_count, 12);
	ck_assert_int_eq(parse("/api/1/2/3/4/5/6/7/8/9/10/11/12", "/api"), 0);
	ck_assert_int_eq(parse("/1/2/3/4/5/6/7/8/9/10/11/12/13", ""), -ENOENT);
}
END_TEST

START_TEST(bounds_the_parameters)
{
	char uri[512] = "/x?";

	for (int i = 0; i < TARGET_PARAMETERS; i++)
		strcat(uri, "&p=1&");
	ck_assert_int_eq(parse(uri, ""), 0);
	ck_assert_uint_eq(target.parameter_count, TARGET_PARAMETERS);
	strcat(uri, "p=1");
	ck_assert_int_eq(parse(uri, ""), -E2BIG);
}
END_TEST

START_TEST(a_whole_path_is_compared_as_it_stands)
{
	static const char *const same[] = { "/metrics", "/metrics?", "/metrics?a=/b", "http://h:1/metrics",
		                            "HTTPS://h/metrics?a" };
	static const char *const others[] = { "", "/", "/metric", "/metrics/", "/metricsx", "//metrics",
		                              "/m%65trics", "metrics", "/api/metrics", "http://metrics",
		                              "http:/metrics", "?/metrics", "/metrics#" };

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		ck_assert_msg(target_has_path(same[i], strlen(same[i]), "/metrics"), "%s", same[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!target_has_path(others[i], strlen(others[i]), "/metrics"), "%s", others[i]);
	/* What is behind its end is not read. */
	ck_assert(target_has_path("/metricsx", 8, "/metrics"));
	ck_assert(!target_has_path("/metrics", 7, "/metrics"));
}
END_TEST

START_TEST(finds_query_parameters)
{
	ck_assert_int_eq(parse("/x?tail=20&from=end&wait%5Fs=5&name=a+b%2Bc%26d=e&empty=&bare&&=odd", ""), 0);
	assert_query("tail", "20");
	assert_query("from", "end");
	assert_query("wait_s", "5");
	assert_query("name", "a b+c&d=e");
	assert_query("empty", "");
	assert_query("bare", "");
	ck_assert_int_eq(query_error("other"), -ENOENT);
	ck_assert_int_eq(query_error("tai"), -ENOENT);
	ck_assert_int_eq(parse("/x?", ""), 0);
	ck_assert_int_eq(query_error("tail"), -ENOENT);
}
END_TEST

START_TEST(the_first_of_a_name_counts)
{
	ck_assert_int_eq(parse("/x?tail=1&tail=2", ""), 0);
	assert_query("tail", "1");
	ck_assert_int_eq(parse("/x?tail&tail=2", ""), 0);
	assert_query("tail", "");
	ck_assert_int_eq(parse("/x?tail=%&tail=2", ""), 0);
	ck_assert_int_eq(query_error("tail"), -EINVAL);
}
END_TEST

START_TEST(a_bad_parameter_is_the_asker_s_matter)
{
	ck_assert_int_eq(parse("/x?utm=100%&tail=5&nul=%00&line=a%0ab&%=1&a/b=../c?d", ""), 0);
	assert_query("tail", "5");
	assert_query("a/b", "../c?d");
	ck_assert_int_eq(query_error("utm"), -EINVAL);
	ck_assert_int_eq(query_error("nul"), -EINVAL);
	ck_assert_int_eq(query_error("line"), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("target");
	TCase *path = tcase_create("path"), *query = tcase_create("query");
	SRunner *runner;
	int failed;

	tcase_add_test(path, splits_beneath_the_prefix);
	tcase_add_test(path, matches_the_prefix_by_whole_segments);
	tcase_add_test(path, decodes_each_segment_once);
	tcase_add_test(path, refuses_bad_encodings);
	tcase_add_test(path, refuses_segments_that_lead_elsewhere);
	tcase_add_test(path, keeps_empty_segments);
	tcase_add_test(path, reads_the_absolute_form);
	tcase_add_test(path, refuses_what_is_no_target);
	tcase_add_test(path, bounds_what_it_holds);
	suite_add_tcase(suite, path);
	tcase_add_test(query, bounds_the_parameters);
	tcase_add_test(query, a_whole_path_is_compared_as_it_stands);
	tcase_add_test(query, finds_query_parameters);
	tcase_add_test(query, the_first_of_a_name_counts);
	tcase_add_test(query, a_bad_parameter_is_the_asker_s_matter);
	suite_add_tcase(suite, query);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
