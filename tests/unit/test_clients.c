/* The clients of a worker, as it lists them and others read. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/clients.h"
#include "shm/counters.h"

static int fd;
static struct clients *owner, *reader;

static void
open_both(uint32_t capacity)
{
	fd = clients_create(capacity);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(clients_open(fd, true, &owner), 0);
	ck_assert_int_eq(clients_open(fd, false, &reader), 0);
}

static void
close_both(void)
{
	clients_close(&owner);
	clients_close(&reader);
	close(fd);
}

static struct clients_client
on_run(const char *run_id)
{
	struct clients_client client = { .kind = "log", .address = "192.0.2.7", .since_ms = 1000 };

	snprintf(client.run_id, sizeof(client.run_id), "%s", run_id);
	return client;
}

static uint32_t
add(const char *run_id, uint64_t *ret_number)
{
	struct clients_client client = on_run(run_id);
	uint32_t slot;

	ck_assert_int_eq(clients_add(owner, &client, &slot, ret_number), 0);
	return slot;
}

START_TEST(a_client_is_listed_as_it_was_added)
{
	struct clients_client client = on_run("r-1"), read;
	uint64_t number;
	uint32_t slot;

	open_both(10);
	ck_assert_uint_eq(clients_count(reader), 0);
	ck_assert_int_eq(clients_at(reader, 0, &read), -ENOENT);
	ck_assert_int_eq(clients_add(owner, &client, &slot, &number), 0);
	ck_assert_uint_eq(clients_count(reader), 1);
	ck_assert_int_eq(clients_at(reader, slot, &read), 0);
	ck_assert_uint_eq(read.number, number);
	ck_assert_str_eq(read.kind, "log");
	ck_assert_str_eq(read.address, "192.0.2.7");
	ck_assert_str_eq(read.run_id, "r-1");
	ck_assert_str_eq(read.project_id, "");
	ck_assert_int_eq(read.since_ms, 1000);
	ck_assert_uint_eq(read.figures.bytes_sent, 0);
	ck_assert_uint_eq(read.figures.bytes_behind, CLIENTS_UNKNOWN);
	ck_assert_uint_eq(read.figures.lines_behind, CLIENTS_UNKNOWN);
	ck_assert_int_eq(clients_at(reader, 10, &read), -ENOENT);
	ck_assert_int_eq(clients_at(reader, UINT32_MAX, &read), -ENOENT);
	close_both();
}
END_TEST

START_TEST(figures_change_and_the_rest_stays)
{
	const struct clients_figures figures = { 1, 2, 3, 4, 5000 };
	struct clients_client read;
	uint64_t number;
	uint32_t slot;

	open_both(10);
	slot = add("r-1", &number);
	clients_update(owner, slot, &figures);
	ck_assert_int_eq(clients_at(reader, slot, &read), 0);
	ck_assert_mem_eq(&read.figures, &figures, sizeof(figures));
	ck_assert_str_eq(read.run_id, "r-1");
	close_both();
}
END_TEST

START_TEST(the_longest_texts_fit_and_longer_ones_are_cut)
{
	struct clients_client client = { .since_ms = 1 }, read;
	uint64_t number;
	uint32_t slot;

	open_both(10);
	memset(client.kind, 'k', sizeof(client.kind)); /* without a NUL */
	memset(client.address, 'a', CLIENTS_ADDRESS_BYTES);
	memset(client.project_id, 'p', REGISTRY_NAME_BYTES);
	memset(client.task_id, 't', REGISTRY_NAME_BYTES);
	ck_assert_int_eq(clients_add(owner, &client, &slot, &number), 0);
	ck_assert_int_eq(clients_at(reader, slot, &read), 0);
	ck_assert_uint_eq(strlen(read.kind), CLIENTS_KIND_BYTES);
	ck_assert_str_eq(read.address, client.address);
	ck_assert_str_eq(read.run_id, "");
	ck_assert_str_eq(read.project_id, client.project_id);
	ck_assert_str_eq(read.task_id, client.task_id);
	/* A run is enough. */
	memset(client.run_id, 'r', REGISTRY_NAME_BYTES);
	ck_assert_int_eq(clients_add(owner, &client, &slot, &number), 0);
	ck_assert_int_eq(clients_at(reader, slot, &read), 0);
	ck_assert_str_eq(read.run_id, client.run_id);
	ck_assert_str_eq(read.project_id, "");
	close_both();
}
END_TEST

START_TEST(a_slot_is_used_again_and_a_number_never)
{
	struct clients_client read;
	uint64_t first, second, third;
	uint32_t slot;

	open_both(10);
	slot = add("r-1", &first);
	ck_assert(clients_has(reader, first));
	clients_remove(owner, slot);
	ck_assert(!clients_has(reader, first));
	ck_assert(!clients_has(reader, 0));
	ck_assert_int_eq(clients_at(reader, slot, &read), -ENOENT);
	ck_assert_uint_eq(add("r-2", &second), slot);
	ck_assert_uint_gt(second, first);
	/* Nor by the next owner. */
	clients_close(&owner);
	ck_assert_int_eq(clients_open(fd, true, &owner), 0);
	clients_reset(owner);
	ck_assert_int_eq(clients_at(reader, slot, &read), -ENOENT);
	ck_assert_uint_eq(add("r-3", &third), slot);
	ck_assert_uint_gt(third, second);
	ck_assert_uint_eq(clients_count(reader), 1);
	close_both();
}
END_TEST

START_TEST(a_full_table_says_so_and_goes_on)
{
	struct clients_client client = on_run("one-too-many");
	uint64_t number;
	uint32_t slot;

	open_both(300); /* more than one step of reserved memory */
	for (int i = 0; i < 300; i++)
		add("r", &number);
	ck_assert_int_eq(clients_add(owner, &client, &slot, &number), -ENOSPC);
	clients_remove(owner, 117);
	ck_assert_uint_eq(add("r", &number), 117);
	ck_assert_uint_eq(clients_count(reader), 300);
	close_both();
}
END_TEST

START_TEST(only_what_is_used_takes_memory_and_reading_takes_none)
{
	struct stat before, after;
	struct clients_client read;
	uint64_t number;

	open_both(CLIENTS_CAPACITY_MAX);
	ck_assert_int_eq(fstat(fd, &before), 0);
	for (uint32_t slot = 0; slot < CLIENTS_CAPACITY_MAX; slot += 999)
		if (clients_at(reader, slot, &read) != -ENOENT)
			ck_abort();
	clients_reset(owner);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	for (int i = 0; i < 100; i++)
		add("r", &number);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_le((after.st_blocks - before.st_blocks) * 512, 64 * 1024);
	close_both();
}
END_TEST

/* A child writes as fast as it can, and is killed in the midst of it, again and again: what is
 * read is always one client whole, and a new owner finds all in order. */
START_TEST(a_writer_may_be_killed_anywhere)
{
	open_both(4);
	for (int round = 0; round < 10; round++) {
		int64_t until_ms = clock_now_ms() + 20000;
		pid_t pid = fork();
		int seen = 0;

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			for (unsigned i = 0;; i++) {
				struct clients_client client = { .since_ms = i };
				uint64_t number;
				uint32_t slot;

				/* All texts are of one letter, and as long as since says. */
				memset(client.run_id, 'a' + (int)(i % 26), i % REGISTRY_NAME_BYTES + 1);
				memset(client.kind, 'a' + (int)(i % 26), 3);
				if (clients_add(owner, &client, &slot, &number) != 0)
					_exit(1);
				clients_remove(owner, slot);
			}
		}
		while (seen < 2000 && clock_now_ms() < until_ms) {
			struct clients_client read;
			int error = clients_at(reader, 0, &read);
			size_t length;

			/* Check writes to a file for each of its assertions. */
			if (error == -ENOENT || error == -EAGAIN)
				continue;
			if (error)
				ck_abort_msg("%s", strerror(-error));
			seen++;
			length = strlen(read.run_id);
			if (length != (size_t)read.since_ms % REGISTRY_NAME_BYTES + 1 ||
			    strspn(read.run_id, (char[]){ read.kind[0], '\0' }) != length)
				ck_abort_msg("\"%s\" of %jd", read.run_id, (intmax_t)read.since_ms);
		}
		ck_assert_int_eq(seen, 2000);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		clients_close(&owner);
		ck_assert_int_eq(clients_open(fd, true, &owner), 0);
		clients_reset(owner);
	}
	ck_assert_uint_eq(clients_count(reader), 1);
	close_both();
}
END_TEST

/* Whatever stands in the segment: no reading beyond it, and no client made of rubbish. */
START_TEST(a_damaged_table_is_read_without_harm)
{
	struct clients_client read;
	unsigned char *bytes;
	uint64_t number;
	struct stat st;
	uint32_t slot;

	open_both(20);
	slot = add("r-1", &number);
	ck_assert_int_eq(fstat(fd, &st), 0);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	memset(bytes + 4096 + 48, 0xff, 336); /* the identity of the first slot */
	ck_assert_int_eq(clients_at(reader, slot, &read), -EPROTO);
	memset(bytes + 16 + 4, 0xff, 4); /* how many slots may be read */
	ck_assert_uint_eq(clients_count(reader), 20);
	memset(bytes + 4096, 0xff, 20 * 384);
	for (uint32_t i = 0; i < 25; i++)
		ck_assert_int_lt(clients_at(reader, i, &read), 0);
	munmap(bytes, (size_t)st.st_size);
	close_both();
}
END_TEST

START_TEST(another_kind_of_segment_is_refused)
{
	struct clients *clients = NULL;
	int other = counters_create();

	ck_assert_int_eq(clients_open(other, false, &clients), -EPROTO);
	ck_assert_ptr_null(clients);
	close(other);
	ck_assert_int_eq(clients_create(0), -EINVAL);
	ck_assert_int_eq(clients_create(CLIENTS_CAPACITY_MAX + 1), -EINVAL);
}
END_TEST

START_TEST(names_are_written_and_read)
{
	static const char *const bad[] = { "", "-", "1", "1-", "-1", "0-1", "1-0", "65-1", "1-2-3", "1 -2",
		                           "+1-2", "1-18446744073709551616", "4294967297-1", "1--2",
		                           "a-b" };
	char name[CLIENTS_NAME_BYTES];
	uint64_t number = 5;
	uint32_t worker = 5;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(clients_name_parse(bad[i], &worker, &number), -EINVAL);
	ck_assert_uint_eq(worker, 5);
	clients_name_format(64, UINT64_MAX, name);
	ck_assert_str_eq(name, "64-18446744073709551615");
	ck_assert_int_eq(clients_name_parse(name, &worker, &number), 0);
	ck_assert_uint_eq(worker, 64);
	ck_assert_uint_eq(number, UINT64_MAX);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("clients");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_client_is_listed_as_it_was_added);
	tcase_add_test(tests, figures_change_and_the_rest_stays);
	tcase_add_test(tests, the_longest_texts_fit_and_longer_ones_are_cut);
	tcase_add_test(tests, a_slot_is_used_again_and_a_number_never);
	tcase_add_test(tests, a_full_table_says_so_and_goes_on);
	tcase_add_test(tests, only_what_is_used_takes_memory_and_reading_takes_none);
	tcase_add_test(tests, a_writer_may_be_killed_anywhere);
	tcase_add_test(tests, a_damaged_table_is_read_without_harm);
	tcase_add_test(tests, another_kind_of_segment_is_refused);
	tcase_add_test(tests, names_are_written_and_read);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
