/* The registry: its writer, its readers, and what a writer killed anywhere leaves behind. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/counters.h"
#include "shm/registry.h"
#include "shm/registry_layout.h"
#include "shm/registry_writer.h"

/* For loops: each ck_assert() tells the test's parent over a pipe that it was passed. */
#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%d: %s", __LINE__, #condition))

static struct registry_run
make_run(const char *id, const char *status)
{
	struct registry_run run = { .exit_code = -1, .start_time_ms = 1000, .first_seen_ms = 2000 };

	snprintf(run.run_id, sizeof(run.run_id), "%s", id);
	snprintf(run.project_id, sizeof(run.project_id), "project of %.100s", id);
	snprintf(run.path_project, sizeof(run.path_project), "p");
	snprintf(run.path_task, sizeof(run.path_task), "t");
	snprintf(run.status, sizeof(run.status), "%s", status);
	return run;
}

struct pair {
	int fd;
	struct registry_writer *writer;
	struct registry *reader;
};

static struct pair
open_pair(uint32_t max_runs)
{
	struct pair pair = { .fd = registry_create(max_runs) };

	ck_assert_int_ge(pair.fd, 0);
	ck_assert_int_eq(registry_writer_open(pair.fd, &pair.writer), 0);
	ck_assert_int_eq(registry_open(pair.fd, &pair.reader), 0);
	return pair;
}

static void
close_pair(struct pair *pair)
{
	registry_writer_close(&pair->writer);
	registry_close(&pair->reader);
	close(pair->fd);
}

static uint32_t
put(struct pair *pair, const char *id, const char *status)
{
	struct registry_run run = make_run(id, status);
	uint32_t slot = UINT32_MAX;

	expect(registry_writer_put(pair->writer, &run, &slot, NULL) == 0);
	return slot;
}

START_TEST(a_run_that_was_put_is_found_with_all_its_fields)
{
	struct pair pair = open_pair(10);
	struct registry_run run = make_run("run-1", "completed"), found;
	bool changed = false;
	uint32_t slot;

	snprintf(run.task_id, sizeof(run.task_id), "the task");
	run.is_terminal = true;
	run.exit_code = 7;
	run.end_time_ms = -5;
	run.ending.is_known = true;
	run.ending.files[REGISTRY_STDOUT].bytes = UINT64_C(1) << 60;
	run.ending.files[REGISTRY_EVENTS].identity = UINT32_MAX;
	run.ending.files[REGISTRY_EVENTS].fingerprint = UINT64_MAX;
	ck_assert_int_eq(registry_writer_put(pair.writer, &run, &slot, &changed), 0);
	ck_assert(changed);
	ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
	ck_assert_uint_eq(found.slot, slot);
	ck_assert_str_eq(found.run_id, "run-1");
	ck_assert_str_eq(found.project_id, "project of run-1");
	ck_assert_str_eq(found.task_id, "the task");
	ck_assert_str_eq(found.path_project, "p");
	ck_assert_str_eq(found.path_task, "t");
	ck_assert_str_eq(found.status, "completed");
	ck_assert(found.is_terminal);
	ck_assert(!found.is_deleted);
	ck_assert_int_eq(found.exit_code, 7);
	ck_assert_int_eq(found.start_time_ms, 1000);
	ck_assert_int_eq(found.end_time_ms, -5);
	ck_assert_int_eq(found.first_seen_ms, 2000);
	ck_assert(found.ending.is_known);
	ck_assert_uint_eq(found.ending.files[REGISTRY_STDOUT].bytes, UINT64_C(1) << 60);
	ck_assert_uint_eq(found.ending.files[REGISTRY_STDERR].bytes, 0);
	ck_assert_uint_eq(found.ending.files[REGISTRY_EVENTS].identity, UINT32_MAX);
	ck_assert_uint_eq(found.ending.files[REGISTRY_EVENTS].fingerprint, UINT64_MAX);
	ck_assert_uint_eq(found.went_on_at, 0);
	ck_assert_uint_eq(registry_count(pair.reader), 1);
	ck_assert_uint_eq(registry_capacity(pair.reader), 10);
	close_pair(&pair);
}
END_TEST

START_TEST(unknown_empty_and_overlong_ids_are_not_found)
{
	struct pair pair = open_pair(10);
	struct registry_run found = { .slot = 77 };
	char id[300];

	put(&pair, "run-1", "running");
	ck_assert_int_eq(registry_find(pair.reader, "run-2", &found), -ENOENT);
	ck_assert_int_eq(registry_find(pair.reader, "", &found), -ENOENT);
	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	ck_assert_int_eq(registry_find(pair.reader, id, &found), -ENOENT);
	ck_assert_int_eq(registry_at(pair.reader, 1, &found), -ENOENT);
	ck_assert_int_eq(registry_at(pair.reader, UINT32_MAX, &found), -ENOENT);
	ck_assert_uint_eq(found.slot, 77);
	close_pair(&pair);
}
END_TEST

START_TEST(the_longest_names_and_statuses_are_kept_and_a_longer_status_is_cut)
{
	struct pair pair = open_pair(4);
	struct registry_run run = make_run("x", "running"), found;

	memset(run.run_id, 'r', REGISTRY_NAME_BYTES);
	memset(run.project_id, 'p', REGISTRY_NAME_BYTES);
	memset(run.task_id, 't', REGISTRY_NAME_BYTES);
	memset(run.path_project, 'P', REGISTRY_NAME_BYTES);
	memset(run.path_task, 'T', REGISTRY_NAME_BYTES);
	memset(run.status, 's', REGISTRY_STATUS_BYTES);
	ck_assert_int_eq(registry_writer_put(pair.writer, &run, NULL, NULL), 0);
	ck_assert_int_eq(registry_find(pair.reader, run.run_id, &found), 0);
	ck_assert_str_eq(found.run_id, run.run_id);
	ck_assert_str_eq(found.project_id, run.project_id);
	ck_assert_str_eq(found.task_id, run.task_id);
	ck_assert_str_eq(found.path_project, run.path_project);
	ck_assert_str_eq(found.path_task, run.path_task);
	ck_assert_str_eq(found.status, run.status);
	close_pair(&pair);
}
END_TEST

START_TEST(a_changed_run_keeps_its_slot_and_grows_its_version)
{
	struct pair pair = open_pair(10);
	uint32_t slot = put(&pair, "run-1", "running"), version;
	struct registry_run run = make_run("run-1", "running"), found;
	bool changed = true;

	ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
	version = found.version;
	ck_assert_int_eq(registry_writer_put(pair.writer, &run, NULL, &changed), 0);
	ck_assert(!changed);
	ck_assert_uint_eq(put(&pair, "run-1", "failed"), slot);
	ck_assert_int_eq(registry_at(pair.reader, slot, &found), 0);
	ck_assert_uint_gt(found.version, version);
	ck_assert_str_eq(found.status, "failed");
	ck_assert_uint_eq(registry_count(pair.reader), 1);
	close_pair(&pair);
}
END_TEST

START_TEST(the_change_by_which_a_run_went_on_is_known)
{
	struct pair pair = open_pair(10);
	struct registry_run run = make_run("run-1", "running"), found;
	uint64_t went_on_at = 0;

	put(&pair, "other", "running");
	for (int i = 0; i < 3; i++) {
		uint64_t before;

		run.is_terminal = true;
		ck_assert_int_eq(registry_writer_put(pair.writer, &run, NULL, NULL), 0);
		ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
		ck_assert_uint_eq(found.went_on_at, went_on_at);
		before = registry_changes_now(pair.reader);
		run.is_terminal = false;
		ck_assert_int_eq(registry_writer_put(pair.writer, &run, NULL, NULL), 0);
		went_on_at = registry_changes_now(pair.reader);
		ck_assert_uint_gt(went_on_at, before);
		/* Other changes leave it as it is. */
		run.exit_code = i;
		run.went_on_at = 4711;
		ck_assert_int_eq(registry_writer_put(pair.writer, &run, NULL, NULL), 0);
		ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
		ck_assert_uint_eq(found.went_on_at, went_on_at);
	}
	close_pair(&pair);
}
END_TEST

START_TEST(texts_that_change_for_ever_take_a_bounded_room)
{
	struct pair pair = open_pair(1);
	struct registry_run run = make_run("run", "running"), found;

	for (int i = 0; i < 100000; i++) {
		size_t length = (size_t)(i * 37 % (REGISTRY_NAME_BYTES + 1));

		memset(run.task_id, 'a' + i % 26, length);
		run.task_id[length] = '\0';
		run.exit_code = i;
		expect(registry_writer_put(pair.writer, &run, NULL, NULL) == 0);
		expect(registry_find(pair.reader, "run", &found) == 0);
		expect(strcmp(found.task_id, run.task_id) == 0);
		expect(found.exit_code == i);
	}
	close_pair(&pair);
}
END_TEST

START_TEST(thousands_of_runs_are_found_while_the_index_grows)
{
	enum { RUNS = 20000 };
	struct pair pair = open_pair(RUNS);
	struct registry_run found, run = make_run("one-too-many", "running");
	char id[32];

	for (int i = 0; i < RUNS; i++) {
		snprintf(id, sizeof(id), "run-%d", i);
		expect(put(&pair, id, "running") == (uint32_t)i);
	}
	for (int i = 0; i < RUNS; i++) {
		snprintf(id, sizeof(id), "run-%d", i);
		expect(registry_find(pair.reader, id, &found) == 0);
		expect(strcmp(found.run_id, id) == 0);
		snprintf(id, sizeof(id), "not-%d", i);
		expect(registry_find(pair.reader, id, &found) == -ENOENT);
	}
	expect(registry_writer_put(pair.writer, &run, NULL, NULL) == -ENOSPC);
	close_pair(&pair);
}
END_TEST

START_TEST(a_deleted_run_is_still_found_and_can_come_back)
{
	struct pair pair = open_pair(10);
	uint32_t slot = put(&pair, "run-1", "running");
	struct registry_run found;

	ck_assert_int_eq(registry_writer_mark_deleted(pair.writer, slot), 0);
	ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
	ck_assert(found.is_deleted);
	ck_assert_uint_eq(put(&pair, "run-1", "running"), slot);
	ck_assert_int_eq(registry_find(pair.reader, "run-1", &found), 0);
	ck_assert(!found.is_deleted);
	ck_assert_int_eq(registry_writer_mark_deleted(pair.writer, 5), -ENOENT);
	close_pair(&pair);
}
END_TEST

START_TEST(runs_that_are_not_deleted_are_counted_by_status)
{
	struct pair pair = open_pair(3);
	const uint64_t *live = registry_writer_live(pair.writer);
	uint32_t slot = put(&pair, "run-1", "running");

	put(&pair, "run-2", "queued");
	put(&pair, "run-3", "running");
	ck_assert_uint_eq(live[COUNTERS_STATUS_RUNNING], 2);
	ck_assert_uint_eq(live[COUNTERS_STATUS_QUEUED], 1);
	put(&pair, "run-2", "some word");
	put(&pair, "run-2", "some word");
	ck_assert_uint_eq(live[COUNTERS_STATUS_QUEUED], 0);
	ck_assert_uint_eq(live[COUNTERS_STATUS_OTHER], 1);
	ck_assert_int_eq(registry_writer_mark_deleted(pair.writer, slot), 0);
	ck_assert_int_eq(registry_writer_mark_deleted(pair.writer, slot), 0);
	ck_assert_uint_eq(live[COUNTERS_STATUS_RUNNING], 1);
	put(&pair, "run-4", "failed"); /* in its slot */
	ck_assert_uint_eq(live[COUNTERS_STATUS_RUNNING], 1);
	ck_assert_uint_eq(live[COUNTERS_STATUS_FAILED], 1);
	registry_writer_close(&pair.writer);
	ck_assert_int_eq(registry_writer_open(pair.fd, &pair.writer), 0);
	live = registry_writer_live(pair.writer);
	ck_assert_uint_eq(live[COUNTERS_STATUS_RUNNING], 1);
	ck_assert_uint_eq(live[COUNTERS_STATUS_OTHER], 1);
	ck_assert_uint_eq(live[COUNTERS_STATUS_FAILED], 1);
	close_pair(&pair);
}
END_TEST

START_TEST(slots_of_deleted_runs_are_used_again_when_no_other_is_left)
{
	struct pair pair = open_pair(8);
	struct registry_run found, run;
	char id[32];

	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "run-%d", i);
		put(&pair, id, "running");
	}
	/* Long enough for the index to fill up with removed buckets, and to be built anew. */
	for (int i = 8; i < 5000; i++) {
		uint32_t slot;

		snprintf(id, sizeof(id), "run-%d", i - 8);
		expect(registry_find(pair.reader, id, &found) == 0);
		slot = found.slot;
		expect(registry_writer_mark_deleted(pair.writer, slot) == 0);
		snprintf(id, sizeof(id), "run-%d", i);
		expect(put(&pair, id, "running") == slot);
		snprintf(id, sizeof(id), "run-%d", i - 8);
		expect(registry_find(pair.reader, id, &found) == -ENOENT);
	}
	run = make_run("surplus", "running");
	expect(registry_writer_put(pair.writer, &run, NULL, NULL) == -ENOSPC);
	expect(registry_find(pair.reader, "run-4999", &found) == 0);
	close_pair(&pair);
}
END_TEST

START_TEST(the_change_feed_names_what_changed_in_order)
{
	struct pair pair = open_pair(10);
	uint64_t cursor = registry_changes_now(pair.reader);
	uint32_t slots[4], a, b;

	ck_assert_int_eq(registry_changes(pair.reader, &cursor, slots, 4), 0);
	a = put(&pair, "a", "running");
	b = put(&pair, "b", "running");
	put(&pair, "b", "running"); /* no change */
	put(&pair, "a", "failed");
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, slots, 2), 2);
	ck_assert_uint_eq(slots[0], a);
	ck_assert_uint_eq(slots[1], b);
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, slots, 2), 1);
	ck_assert_uint_eq(slots[0], a);
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, slots, 2), 0);
	close_pair(&pair);
}
END_TEST

START_TEST(a_reader_that_falls_too_far_behind_is_told)
{
	struct pair pair = open_pair(10);
	uint64_t cursor = registry_changes_now(pair.reader);
	uint32_t slot;

	for (int i = 0; i < REGISTRY_RING_ENTRIES / 2; i++) {
		put(&pair, "a", "running");
		put(&pair, "a", "failed");
	}
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, &slot, 1), -EOVERFLOW);
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, &slot, 1), 0);
	put(&pair, "a", "running");
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, &slot, 1), 1);
	close_pair(&pair);
}
END_TEST

START_TEST(a_new_writer_sends_every_reader_to_look_anew)
{
	struct pair pair = open_pair(10);
	uint64_t cursor = registry_changes_now(pair.reader);
	uint32_t slot;

	registry_writer_close(&pair.writer);
	ck_assert_int_eq(registry_writer_open(pair.fd, &pair.writer), 0);
	ck_assert_int_eq(registry_changes(pair.reader, &cursor, &slot, 1), -EOVERFLOW);
	close_pair(&pair);
}
END_TEST

START_TEST(what_an_earlier_writer_was_asked_is_to_be_asked_again)
{
	struct pair pair = open_pair(10);
	uint64_t asked;

	registry_writer_look_begin(pair.writer);
	registry_writer_look_finish(pair.writer);
	asked = registry_looks_begun(pair.reader);
	ck_assert_int_eq(registry_look_answered(pair.reader, asked), 0);
	registry_writer_look_begin(pair.writer); /* a writer dies here */
	registry_writer_look_begin(pair.writer);
	registry_writer_take_over(pair.writer);
	ck_assert_int_eq(registry_look_answered(pair.reader, asked), 0);
	registry_writer_look_finish(pair.writer);
	ck_assert_int_eq(registry_look_answered(pair.reader, asked), -EAGAIN);
	asked = registry_looks_begun(pair.reader);
	ck_assert_int_eq(registry_look_answered(pair.reader, asked), 0);
	registry_writer_look_begin(pair.writer);
	registry_writer_look_finish(pair.writer);
	ck_assert_int_eq(registry_look_answered(pair.reader, asked), 1);
	close_pair(&pair);
}
END_TEST

START_TEST(only_a_whole_look_that_began_after_the_question_says_that_something_is_not_there)
{
	struct pair pair = open_pair(10);
	uint64_t asked = registry_looks_begun(pair.reader), asked_during, asked_late;

	registry_writer_look_begin(pair.writer);
	registry_writer_look_finish(pair.writer); /* it left something out */
	ck_assert_uint_le(registry_looks_whole(pair.reader), asked);
	registry_writer_look_begin(pair.writer);
	asked_during = registry_looks_begun(pair.reader);
	registry_writer_take_over(pair.writer);
	asked_late = registry_looks_begun(pair.reader);
	registry_writer_look_was_whole(pair.writer);
	registry_writer_look_finish(pair.writer);
	ck_assert_uint_gt(registry_looks_whole(pair.reader), asked);
	ck_assert_uint_le(registry_looks_whole(pair.reader), asked_during);
	ck_assert_uint_le(registry_looks_whole(pair.reader), asked_late);
	registry_writer_look_begin(pair.writer);
	registry_writer_look_was_whole(pair.writer);
	registry_writer_look_finish(pair.writer);
	ck_assert_uint_gt(registry_looks_whole(pair.reader), asked_during);
	ck_assert_uint_gt(registry_looks_whole(pair.reader), asked_late);
	close_pair(&pair);
}
END_TEST

START_TEST(looks_are_counted_and_one_left_unfinished_ends_with_the_next)
{
	struct pair pair = open_pair(10);
	uint64_t asked;

	registry_writer_look_begin(pair.writer); /* a writer dies here */
	registry_writer_close(&pair.writer);
	ck_assert_int_eq(registry_writer_open(pair.fd, &pair.writer), 0);
	asked = registry_looks_begun(pair.reader);
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_le(registry_looks_finished(pair.reader), asked);
	registry_writer_look_begin(pair.writer);
	ck_assert_uint_le(registry_looks_finished(pair.reader), asked);
	registry_writer_look_finish(pair.writer);
	ck_assert_uint_gt(registry_looks_finished(pair.reader), asked);
	close_pair(&pair);
}
END_TEST

START_TEST(paths_are_made_of_their_parts)
{
	struct registry_run run = make_run("run-1", "running");
	char path[512];

	ck_assert_uint_eq(registry_run_path(&run, path, sizeof(path)), 14);
	ck_assert_str_eq(path, "p/t/runs/run-1");
	run.path_project[0] = run.path_task[0] = '\0';
	ck_assert_uint_eq(registry_run_path(&run, path, sizeof(path)), 5);
	ck_assert_str_eq(path, "run-1");
}
END_TEST

START_TEST(what_is_not_a_registry_is_refused)
{
	struct registry *reader = NULL;
	char zeros[8192] = "";
	int fd;

	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(registry_open(fd, &reader), -EPROTO); /* empty */
	ck_assert_int_eq(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	ck_assert_int_eq(registry_open(fd, &reader), -EPROTO); /* not sealed */
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(registry_open(fd, &reader), -EPROTO); /* no magic */
	close(fd);

	fd = registry_create(10);
	ck_assert_int_eq(pwrite(fd, &(uint32_t){ 999 }, 4, 8), 4);
	ck_assert_int_eq(registry_open(fd, &reader), -EPROTONOSUPPORT);
	close(fd);
	ck_assert_int_eq(registry_create(0), -EINVAL);
	ck_assert_int_eq(registry_create(REGISTRY_CAPACITY_MAX + 1), -EINVAL);
	ck_assert_ptr_null(reader);
}
END_TEST

START_TEST(a_header_with_impossible_numbers_is_refused)
{
	static const size_t fields[] = {
		offsetof(struct registry_header, total_bytes),
		offsetof(struct registry_header, ring_offset),
		offsetof(struct registry_header, slots_offset),
		offsetof(struct registry_header, index_offset),
		offsetof(struct registry_header, text_offset),
		offsetof(struct registry_header, text_bytes),
		offsetof(struct registry_header, capacity),
		offsetof(struct registry_header, index_log2_max),
	};
	struct registry *reader = NULL;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int fd = registry_create(10);

		ck_assert_int_eq(pwrite(fd, "\377\377\377\377", 4, (off_t)fields[i] ), 4);
		ck_assert_int_eq(registry_open(fd, &reader), -EPROTO);
		close(fd);
	}
}
END_TEST

START_TEST(damaged_content_never_leads_a_reader_astray)
{
	/* Whatever stands in the mutable parts, the reader stays within the mapping and ends. */
	unsigned seed = 1;

	for (int round = 0; round < 300; round++) {
		struct pair pair = open_pair(16);
		struct registry_run found;
		struct registry_header header;
		uint64_t cursor = 0;
		uint32_t slots[16];

		for (int i = 0; i < 16; i++) {
			char id[16];

			snprintf(id, sizeof(id), "run-%d", i);
			put(&pair, id, "running");
		}
		expect(pread(pair.fd, &header, sizeof(header), 0) == sizeof(header));
		for (int i = 0; i < 64; i++) {
			unsigned char byte = (unsigned char)rand_r(&seed);
			off_t at = (off_t)header.slots_offset + rand_r(&seed) % 3072;

			if (i % 4 == 1)
				at = offsetof(struct registry_header, index) + rand_r(&seed) % 192;
			if (i % 4 == 2)
				at = (off_t)header.index_offset[rand_r(&seed) & 1] +
				     rand_r(&seed) % 8192;
			expect(pwrite(pair.fd, &byte, 1, at) == 1);
		}
		for (uint32_t i = 0; i < 16; i++) {
			char id[16];

			snprintf(id, sizeof(id), "run-%u", i);
			registry_find(pair.reader, id, &found);
			registry_at(pair.reader, i, &found);
		}
		registry_changes(pair.reader, &cursor, slots, 16);
		close_pair(&pair);
	}
}
END_TEST

/* --- the writer is killed, and killed again ----------------------------------------------------- */

enum { KILL_IDS = 400, KILL_CAPACITY = 256 };

/* Every field of a run follows from its id and a number, so that a mixture shows. */
static struct registry_run
patterned_run(int id, int64_t number)
{
	struct registry_run run = { .exit_code = (int32_t)number, .start_time_ms = number,
		                    .end_time_ms = number, .first_seen_ms = id };

	snprintf(run.run_id, sizeof(run.run_id), "run-%d", id);
	snprintf(run.project_id, sizeof(run.project_id), "%0*jd", (int)(number / 7 % 120 + 1),
	         (intmax_t)(number / 7));
	snprintf(run.task_id, sizeof(run.task_id), "%s", run.project_id);
	snprintf(run.status, sizeof(run.status), "%jd", (intmax_t)number);
	run.is_deleted = number % 3 == 0;
	run.is_terminal = number % 2 == 0;
	run.ending.is_known = number % 5 != 0;
	for (int i = 0; i < REGISTRY_FILES; i++) {
		run.ending.files[i].bytes = (uint64_t)number << i;
		run.ending.files[i].identity = (uint32_t)(number + i);
		run.ending.files[i].fingerprint = (uint64_t)number * 7 + (uint64_t)i;
	}
	return run;
}

static void
check_patterned(const struct registry_run *found)
{
	struct registry_run expected = patterned_run((int)found->first_seen_ms,
	                                             found->start_time_ms);

	/* All but is_deleted, which mark_deleted() changes alone. */
	expect(strcmp(found->run_id, expected.run_id) == 0);
	expect(strcmp(found->project_id, expected.project_id) == 0);
	expect(strcmp(found->task_id, expected.task_id) == 0);
	expect(strcmp(found->status, expected.status) == 0);
	expect(found->exit_code == expected.exit_code);
	expect(found->end_time_ms == expected.end_time_ms);
	expect(found->is_terminal == expected.is_terminal);
	expect(found->ending.is_known == expected.ending.is_known);
	for (int i = 0; i < REGISTRY_FILES; i++) {
		expect(found->ending.files[i].bytes == expected.ending.files[i].bytes);
		expect(found->ending.files[i].identity == expected.ending.files[i].identity);
		expect(found->ending.files[i].fingerprint == expected.ending.files[i].fingerprint);
	}
}

static _Noreturn void
write_for_ever(int fd, unsigned seed)
{
	struct registry_writer *writer;

	if (registry_writer_open(fd, &writer) < 0)
		_exit(2);
	for (;;) {
		struct registry_run run = patterned_run((int)(rand_r(&seed) % KILL_IDS),
		                                        rand_r(&seed) % 100000);
		int error;

		if (rand_r(&seed) % 4 == 0)
			registry_writer_mark_deleted(writer, (uint32_t)rand_r(&seed) % KILL_CAPACITY);
		error = registry_writer_put(writer, &run, NULL, NULL);
		if (error && error != -ENOSPC)
			_exit(3);
	}
}

START_TEST(a_writer_killed_anywhere_leaves_nothing_torn_or_stuck)
{
	int fd = registry_create(KILL_CAPACITY), rounds = 200, at_work = 0;
	unsigned seed = 4711;
	struct registry *reader;

	ck_assert_int_eq(registry_open(fd, &reader), 0);
	for (int round = 0; round < rounds; round++) {
		int until = 1 + (int)(rand_r(&seed) % 400), status, seen = 0;
		struct registry_writer *writer;
		struct registry_run found;
		uint64_t begun, changes = registry_changes_now(reader);
		pid_t child = fork();

		if (child == 0)
			write_for_ever(fd, (unsigned)round);
		/* On a busy machine it takes a while to begin. One in four is killed whenever. */
		for (int i = 0; round % 4 != 0 && i < 10000 &&
		     registry_changes_now(reader) <= changes + REGISTRY_RING_ENTRIES; i++)
			usleep(1000);
		/* Reads beside the writer, which is killed after a number of reads. */
		for (int i = 0; i < until * 10; i++) {
			char id[32];
			int which = (int)(rand_r(&seed) % KILL_IDS), error;

			snprintf(id, sizeof(id), "run-%d", which);
			error = registry_find(reader, id, &found);
			expect(error == 0 || error == -ENOENT);
			if (error == 0) {
				expect(strcmp(found.run_id, id) == 0);
				check_patterned(&found);
			}
			error = registry_at(reader, (uint32_t)which, &found);
			expect(error == 0 || error == -ENOENT);
			if (error == 0)
				check_patterned(&found);
		}
		expect(kill(child, SIGKILL) == 0);
		expect(waitpid(child, &status, 0) == child);
		expect(WIFSIGNALED(status));

		at_work += registry_changes_now(reader) > changes + REGISTRY_RING_ENTRIES;

		/* What it left is whole; a new writer makes all of it findable, once each. */
		expect(registry_writer_open(fd, &writer) == 0);
		for (uint32_t slot = 0; slot < registry_count(reader); slot++) {
			uint32_t where;

			expect(registry_at(reader, slot, &found) == 0);
			check_patterned(&found);
			where = found.slot;
			expect(registry_find(reader, found.run_id, &found) == 0);
			expect(found.slot == where);
			seen++;
		}
		expect(seen <= KILL_CAPACITY);
		begun = registry_looks_begun(reader);
		registry_writer_look_begin(writer);
		registry_writer_look_finish(writer);
		expect(registry_looks_finished(reader) > begun);
		registry_writer_close(&writer);
	}
	ck_assert_uint_eq(registry_count(reader), KILL_CAPACITY);
	ck_assert_int_gt(at_work, rounds / 2); /* most were killed while they wrote */
	registry_close(&reader);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, a_run_that_was_put_is_found_with_all_its_fields);
	tcase_add_test(tests, unknown_empty_and_overlong_ids_are_not_found);
	tcase_add_test(tests, the_longest_names_and_statuses_are_kept_and_a_longer_status_is_cut);
	tcase_add_test(tests, a_changed_run_keeps_its_slot_and_grows_its_version);
	tcase_add_test(tests, the_change_by_which_a_run_went_on_is_known);
	tcase_add_test(tests, texts_that_change_for_ever_take_a_bounded_room);
	tcase_add_test(tests, thousands_of_runs_are_found_while_the_index_grows);
	tcase_add_test(tests, a_deleted_run_is_still_found_and_can_come_back);
	tcase_add_test(tests, runs_that_are_not_deleted_are_counted_by_status);
	tcase_add_test(tests, slots_of_deleted_runs_are_used_again_when_no_other_is_left);
	tcase_add_test(tests, the_change_feed_names_what_changed_in_order);
	tcase_add_test(tests, a_reader_that_falls_too_far_behind_is_told);
	tcase_add_test(tests, a_new_writer_sends_every_reader_to_look_anew);
	tcase_add_test(tests, looks_are_counted_and_one_left_unfinished_ends_with_the_next);
	tcase_add_test(tests, only_a_whole_look_that_began_after_the_question_says_that_something_is_not_there);
	tcase_add_test(tests, what_an_earlier_writer_was_asked_is_to_be_asked_again);
	tcase_add_test(tests, paths_are_made_of_their_parts);
	tcase_add_test(tests, what_is_not_a_registry_is_refused);
	tcase_add_test(tests, a_header_with_impossible_numbers_is_refused);
	tcase_add_test(tests, damaged_content_never_leads_a_reader_astray);
	tcase_add_test(tests, a_writer_killed_anywhere_leaves_nothing_torn_or_stuck);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
