/* Counters: what the owner changes in place is what others read; sums, names, histograms. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/counters.h"

START_TEST(what_the_owner_counts_is_read_by_others)
{
	struct counters *owner, *reader;
	struct counters_values values;
	int fd = counters_create();

	ck_assert_int_eq(counters_open(fd, true, &owner), 0);
	ck_assert_int_eq(counters_open(fd, false, &reader), 0);
	counters_read(reader, &values);
	for (size_t i = 0; i < COUNTERS_WORDS; i++)
		ck_assert_uint_eq(counters_words_of(&values)[i], 0);
	counters_own(owner)->lines_sent += 5;
	counters_own(owner)->cache_bytes = UINT64_MAX;
	counters_own(owner)->clients[COUNTERS_STREAM_MESSAGES] = 7;
	counters_read(reader, &values);
	ck_assert_uint_eq(values.lines_sent, 5);
	ck_assert_uint_eq(values.cache_bytes, UINT64_MAX);
	ck_assert_uint_eq(values.clients[COUNTERS_STREAM_MESSAGES], 7);
	ck_assert_uint_eq(values.requests, 0);
	counters_close(&owner);
	counters_close(&reader);
	close(fd);
}
END_TEST

START_TEST(another_layout_is_refused)
{
	struct counters *counters = NULL;
	int fd = counters_create();

	ck_assert_int_eq(pwrite(fd, &(uint32_t){ 1 }, 4, 8), 4); /* version */
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTONOSUPPORT);
	close(fd);
	fd = counters_create();
	ck_assert_int_eq(pwrite(fd, &(uint64_t){ 8 }, 8, 16), 8); /* another list of counters */
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTONOSUPPORT);
	close(fd);
	fd = counters_create();
	ck_assert_int_eq(pwrite(fd, "X", 1, 0), 1);
	ck_assert_int_eq(counters_open(fd, false, &counters), -EPROTO);
	close(fd);
	ck_assert_ptr_null(counters);
}
END_TEST

START_TEST(the_list_covers_each_word_once)
{
	unsigned covered[COUNTERS_WORDS] = { 0 };

	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];
		size_t words = entry->kind == COUNTERS_histogram ? COUNTERS_BUCKETS + 1
		                                                 : entry->set->count;

		/* So that promtool, the page and the format's escapes have nothing to say. */
		ck_assert_ptr_null(strpbrk(entry->help, "\\\n\""));
		for (size_t word = entry->first; word < entry->first + words; word++)
			covered[word]++;
	}
	for (size_t i = 0; i < COUNTERS_WORDS; i++)
		ck_assert_uint_eq(covered[i], 1);
}
END_TEST

START_TEST(names_say_their_unit_and_kind)
{
	char name[COUNTERS_NAME_BYTES];

	counters_format_name("requests", COUNTERS_counter, name);
	ck_assert_str_eq(name, "runstream_requests_total");
	counters_format_name("clients", COUNTERS_gauge, name);
	ck_assert_str_eq(name, "runstream_clients");
	counters_format_name("look_us", COUNTERS_histogram, name);
	ck_assert_str_eq(name, "runstream_look_seconds");
	counters_format_name("last_look_timestamp_ms", COUNTERS_gauge, name);
	ck_assert_str_eq(name, "runstream_last_look_timestamp_seconds");
	ck_assert_uint_eq(counters_divisor("look_us"), 1000000);
	ck_assert_uint_eq(counters_divisor("last_look_timestamp_ms"), 1000);
	ck_assert_uint_eq(counters_divisor("status"), 1);
}
END_TEST

START_TEST(a_duration_is_in_the_first_bucket_that_holds_it)
{
	struct counters_histogram h = { .sum_us = 0 };

	counters_observe(&h, -5);
	counters_observe(&h, 0);
	counters_observe(&h, 100);
	counters_observe(&h, 101);
	counters_observe(&h, 10000000);
	counters_observe(&h, 10000001);
	counters_observe(&h, INT64_MAX / 2);
	ck_assert_uint_eq(h.buckets[0], 3);
	ck_assert_uint_eq(h.buckets[1], 1);
	ck_assert_uint_eq(h.buckets[COUNTERS_BUCKETS - 2], 1);
	ck_assert_uint_eq(h.buckets[COUNTERS_BUCKETS - 1], 2);
	ck_assert_uint_eq(h.sum_us, 100 + 101 + 10000000 + 10000001 + INT64_MAX / 2);
}
END_TEST

START_TEST(sums_add_but_the_highest_of_peaks_counts)
{
	struct counters_values sum = { .requests = 1, .slowest_client_bytes = 7 };
	struct counters_values values = { .requests = 2, .slowest_client_bytes = 5 };

	values.clients[COUNTERS_STREAM_FILE] = 3;
	values.loop_turn_us.buckets[4] = 2;
	values.loop_turn_us.sum_us = 9;
	counters_add(&sum, &values);
	values.slowest_client_bytes = 8;
	counters_add(&sum, &values);
	ck_assert_uint_eq(sum.requests, 5);
	ck_assert_uint_eq(sum.slowest_client_bytes, 8);
	ck_assert_uint_eq(sum.clients[COUNTERS_STREAM_FILE], 6);
	ck_assert_uint_eq(sum.loop_turn_us.buckets[4], 4);
	ck_assert_uint_eq(sum.loop_turn_us.sum_us, 18);
}
END_TEST

START_TEST(of_a_dead_process_what_happened_stays)
{
	struct counters_values values;

	memset(&values, 1, sizeof(values));
	counters_forget_gauges(&values);
	ck_assert_uint_ne(values.requests, 0);
	ck_assert_uint_ne(values.loop_turn_us.sum_us, 0);
	ck_assert_uint_ne(values.streams_ended[COUNTERS_ENDED_FAILED], 0);
	ck_assert_uint_eq(values.followers, 0);
	ck_assert_uint_eq(values.slowest_client_lines, 0);
	for (size_t i = 0; i < COUNTERS_STREAM_KINDS; i++)
		ck_assert_uint_eq(values.clients[i], 0);
}
END_TEST

START_TEST(words_are_found)
{
	ck_assert_uint_eq(counters_find_word(&counters_set_gap_reasons, "hole", COUNTERS_GAP_OTHER),
	                  COUNTERS_GAP_HOLE);
	ck_assert_uint_eq(counters_find_word(&counters_set_gap_reasons, "holes", COUNTERS_GAP_OTHER),
	                  COUNTERS_GAP_OTHER);
	ck_assert_uint_eq(counters_find_word(&counters_set_statuses, "", COUNTERS_STATUS_OTHER),
	                  COUNTERS_STATUS_OTHER);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, what_the_owner_counts_is_read_by_others);
	tcase_add_test(tests, another_layout_is_refused);
	tcase_add_test(tests, the_list_covers_each_word_once);
	tcase_add_test(tests, names_say_their_unit_and_kind);
	tcase_add_test(tests, a_duration_is_in_the_first_bucket_that_holds_it);
	tcase_add_test(tests, sums_add_but_the_highest_of_peaks_counts);
	tcase_add_test(tests, of_a_dead_process_what_happened_stays);
	tcase_add_test(tests, words_are_found);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
