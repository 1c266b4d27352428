/* The writer: the same calls in both formats, and what input cannot do to them. */
#include "admin/output.h"

#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

static char *text;
static size_t length;

/* What write() prints in a format, in text and length. */
static void
printed(enum output_format format, void (*write)(struct output *))
{
	FILE *stream = open_memstream(&text, &length);
	struct output *output;

	ck_assert_int_eq(output_new(stream, format, &output), 0);
	write(output);
	ck_assert_int_eq(output_finish(&output), 0);
	ck_assert_ptr_null(output);
	fclose(stream);
}

static struct json_object *
parsed(void (*write)(struct output *))
{
	struct json_object *object;

	printed(OUTPUT_JSON, write);
	object = json_tokener_parse(text);
	ck_assert_msg(object != NULL, "not JSON: %s", text);
	free(text);
	return object;
}

static void
write_everything(struct output *o)
{
	output_string(o, "version", "1.2.3");
	output_number(o, "exit_code", -1);
	output_count(o, "bytes_sent", UINT64_MAX);
	output_boolean(o, "is_terminal", true);
	output_duration(o, "uptime_ms", 90061000);
	output_time(o, "start_time", 1770229842569);
	output_time(o, "end_time", 0);
	output_string(o, "agent", NULL);
	output_object_begin(o, "runs");
	output_count(o, "total", 2);
	output_rows_begin(o, "by_status");
	output_row_begin(o);
	output_string(o, "status", "running");
	output_count(o, "count", 12345);
	output_row_end(o);
	output_row_begin(o);
	output_string(o, "status", "größer");
	output_count(o, "count", 1);
	output_row_end(o);
	output_rows_end(o);
	output_object_end(o);
	output_rows_begin(o, "clients");
	output_rows_end(o);
	output_rows_begin(o, "processes");
	for (int i = 0; i < 2; i++) {
		output_row_begin(o);
		output_string(o, "process", i ? "worker-1" : "discovery");
		output_number(o, "pid", i ? 7 : 123456);
		output_duration(o, "uptime_ms", i ? 1500 : 3723000);
		output_string(o, "state", i ? NULL : "running");
		if (output_is_json(o)) {
			output_object_begin(o, "counters");
			output_count(o, "requests", 1);
			output_count(o, "clients", 2);
			output_object_end(o);
		}
		output_row_end(o);
	}
	output_rows_end(o);
	output_string(o, "last", "after rows");
}

START_TEST(text_is_aligned)
{
	printed(OUTPUT_TEXT, write_everything);
	golden_check("output.txt", text, length);
	free(text);
}
END_TEST

START_TEST(json_has_the_same_and_parses)
{
	struct json_object *object = parsed(write_everything), *member;

	ck_assert(json_object_object_get_ex(object, "bytes_sent", &member));
	ck_assert_uint_eq(json_object_get_uint64(member), UINT64_MAX);
	ck_assert(json_object_object_get_ex(object, "last", &member));
	json_object_put(object);
	printed(OUTPUT_JSON, write_everything);
	golden_check("output.json", text, length);
	free(text);
}
END_TEST

static size_t most_width;

static void
write_wide(struct output *o)
{
	output_set_width(o, most_width);
	output_rows_begin(o, "runs");
	for (int i = 0; i < 2; i++) {
		output_row_begin(o);
		output_string(o, "run_id", i ? "short" : "a-name-that-is-never-cut");
		output_state(o, "status", i ? "running" : "failed");
		output_string(o, "project_id", i ? "größeres-日本" : "a-name-that-may-be-cut");
		output_string(o, "task", "small");
		output_time(o, "start_time", i ? 0 : 1770229842569);
		output_count(o, "clients", i ? 7 : 1234567890);
		output_row_end(o);
	}
	output_rows_end(o);
}

START_TEST(a_table_that_is_too_wide_is_cut_where_it_may_be)
{
	static const struct {
		size_t width;
		const char *text;
	} cases[] = {
		{ 0, "RUN ID                    STATUS   PROJECT ID              TASK   START TIME                   CLIENTS\n"
		     "a-name-that-is-never-cut  failed   a-name-that-may-be-cut  small  2026-02-04T18:30:42.569Z  1234567890\n"
		     "short                     running  größeres-日本             small  -                                  7\n" },
		{ 90, "RUN ID                    STATUS   PROJECT ID              TASK   START TIME      CLIENTS\n"
		      "a-name-that-is-never-cut  failed   a-name-that-may-be-cut  small  02-04T18:30  1234567890\n"
		      "short                     running  größeres-日本             small  -                     7\n" },
		{ 77, "RUN ID                    STATUS   PROJECT ID  TASK   START TIME      CLIENTS\n"
		      "a-name-that-is-never-cut  failed   a-name-th…  small  02-04T18:30  1234567890\n"
		      "short                     running  größeres-…  small  -                     7\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		most_width = cases[i].width;
		printed(OUTPUT_TEXT, write_wide);
		ck_assert_str_eq(text, cases[i].text);
		free(text);
	}
	most_width = 1;
	printed(OUTPUT_TEXT, write_wide);
	ck_assert_ptr_nonnull(strstr(text, "a-name-that-is-never-cut  failed   a-nam…  small"));
	free(text);
}
END_TEST

static void
write_nothing(struct output *o)
{
	(void)o;
}

START_TEST(an_empty_document_is_an_empty_object)
{
	printed(OUTPUT_JSON, write_nothing);
	ck_assert_str_eq(text, "{}\n");
	free(text);
	printed(OUTPUT_TEXT, write_nothing);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

#define HOSTILE "a\x1b[31m\nb\x7f\xc2\x9b" "c\xff\xe2\x82" "d\"\\"

static void
write_hostile(struct output *o)
{
	output_string(o, "text", HOSTILE);
}

START_TEST(no_terminal_obeys_a_value)
{
	printed(OUTPUT_TEXT, write_hostile);
	ck_assert_str_eq(text, "text:               a\\x1b[31m\\x0ab\\x7f\\xc2\\x9bc\\xff\\xe2\\x82"
	                       "d\"\\\n");
	free(text);
}
END_TEST

START_TEST(json_holds_a_hostile_value_as_it_is_but_for_what_is_not_utf8)
{
	struct json_object *object = parsed(write_hostile), *member;

	ck_assert(json_object_object_get_ex(object, "text", &member));
	ck_assert_str_eq(json_object_get_string(member),
	                 "a\x1b[31m\nb\x7f\xc2\x9b" "c\xef\xbf\xbd\xef\xbf\xbd" "d\"\\");
	json_object_put(object);
}
END_TEST

static void
write_durations(struct output *o)
{
	output_duration(o, "a_ms", 0);
	output_duration(o, "b_ms", 59999);
	output_duration(o, "c_ms", 60000);
	output_duration(o, "d_ms", 86399999);
	output_duration(o, "e_ms", 86400000);
	output_duration(o, "f_ms", -1);
}

START_TEST(durations_are_in_the_two_largest_units)
{
	printed(OUTPUT_TEXT, write_durations);
	ck_assert_str_eq(text, "a:                  0.0s\n"
	                       "b:                  59.9s\n"
	                       "c:                  1m 0s\n"
	                       "d:                  23h 59m\n"
	                       "e:                  1d 0h\n"
	                       "f:                  -\n");
	free(text);
}
END_TEST

static void
write_many_rows(struct output *o)
{
	output_rows_begin(o, "runs");
	for (int i = 0; i < 10000; i++) {
		output_row_begin(o);
		output_string(o, "run_id", "r");
		output_number(o, "n", i);
		output_row_end(o);
	}
	output_rows_end(o);
}

START_TEST(rows_beyond_a_batch_have_one_heading_and_are_all_there)
{
	struct json_object *object, *rows;
	size_t lines = 0;

	printed(OUTPUT_TEXT, write_many_rows);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 10001);
	ck_assert_ptr_null(strstr(strstr(text, "RUN ID") + 1, "RUN ID"));
	ck_assert_ptr_nonnull(strstr(text, "9999\n"));
	free(text);
	object = parsed(write_many_rows);
	ck_assert(json_object_object_get_ex(object, "runs", &rows));
	ck_assert_uint_eq(json_object_array_length(rows), 10000);
	json_object_put(object);
}
END_TEST

START_TEST(a_full_disk_is_reported_at_the_end)
{
	FILE *stream = fopen("/dev/full", "w");
	struct output *output;

	ck_assert_ptr_nonnull(stream);
	ck_assert_int_eq(output_new(stream, OUTPUT_TEXT, &output), 0);
	output_string(output, "key", "value");
	ck_assert_int_eq(output_finish(&output), -ENOSPC);
	fclose(stream);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("output");
	TCase *tc = tcase_create("output");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, text_is_aligned);
	tcase_add_test(tc, a_table_that_is_too_wide_is_cut_where_it_may_be);
	tcase_add_test(tc, json_has_the_same_and_parses);
	tcase_add_test(tc, an_empty_document_is_an_empty_object);
	tcase_add_test(tc, no_terminal_obeys_a_value);
	tcase_add_test(tc, json_holds_a_hostile_value_as_it_is_but_for_what_is_not_utf8);
	tcase_add_test(tc, durations_are_in_the_two_largest_units);
	tcase_add_test(tc, rows_beyond_a_batch_have_one_heading_and_are_all_there);
	tcase_add_test(tc, a_full_disk_is_reported_at_the_end);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
