/* The bytes of trails, the files that they are in, and what is found in them again. */
#include "model/trail.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/trail_dir.h"
#include "stream/trail.h"
#include "stream/trail_reader.h"

static char directory[64];
static int dir_fd;
static int64_t retention_s;
static struct loop *loop;
static struct offload *offload;

static void
set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/runstream-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir_fd, 0);
	retention_s = 86400;
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(offload_new(loop, 2, &offload), 0);
}

static void
tear_down(void)
{
	char command[128];

	offload_free(&offload);
	loop_free(&loop);
	fd_close(&dir_fd);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* --- bytes ---------------------------------------------------------------------------------------------- */

static struct trail_record
member(uint32_t number, const char *run_id, uint64_t offset)
{
	struct trail_record r = { .kind = run_id ? TRAIL_MEMBER : TRAIL_PLACE, .feed = 3 };

	r.member = (struct trail_member){ .number = number, .run_id = run_id,
		                          .run_id_length = run_id ? (uint8_t)strlen(run_id) : 0 };
	r.member.cursor.files[0].has_mark = true;
	r.member.cursor.files[0].lines = offset / 10;
	r.member.cursor.files[0].mark = (struct cursor_mark){ .offset = offset, .identity = 9,
		                                              .fingerprint = 8, .is_finished = true };
	return r;
}

static struct trail_record
of_feed(void)
{
	struct trail_record r = { .kind = TRAIL_FEED, .feed = 3 };

	r.of = (struct trail_feed){ .kind = TRAIL_OF_EVENTS, .files = 1, .has_left_out = true,
		                    .registry = 5, .horizon_ms = 1234567890123, .horizon_slots = 77, .project_id = "p",
		                    .project_length = 1, .task_id = "", .is_of_task = true };
	return r;
}

START_TEST(records_are_read_as_they_were_written)
{
	struct trail_record records[] = { of_feed(), member(1, "run-1", 100), member(1, NULL, 200) }, r;
	struct buf bytes = BUF_INIT;
	struct trail_batch batch;
	uint64_t trail, first_tick;
	size_t at, begun;

	trail_put_header(&bytes, 77, 12);
	begun = trail_begin_batch(&bytes, 13);
	for (size_t i = 0; i < 3; i++)
		trail_put(&bytes, &records[i]);
	trail_end_batch(&bytes, begun);
	ck_assert_int_eq(trail_read_header(bytes.data, bytes.length_bytes, &trail, &first_tick), 0);
	ck_assert_uint_eq(trail, 77);
	ck_assert_uint_eq(first_tick, 12);
	at = TRAIL_HEADER_BYTES;
	ck_assert(trail_next_batch(bytes.data, bytes.length_bytes, &at, &batch));
	ck_assert_uint_eq(batch.tick, 13);
	ck_assert(trail_next_record(&batch, &r));
	ck_assert(r.kind == TRAIL_FEED && r.feed == 3 && r.of.kind == TRAIL_OF_EVENTS);
	ck_assert(r.of.has_left_out && r.of.is_of_task && r.of.registry == 5);
	ck_assert_int_eq(r.of.horizon_ms, 1234567890123);
	ck_assert_uint_eq(r.of.horizon_slots, 77);
	ck_assert(r.of.project_length == 1 && *r.of.project_id == 'p' && r.of.task_length == 0);
	ck_assert(trail_next_record(&batch, &r));
	ck_assert(r.kind == TRAIL_MEMBER && r.member.run_id_length == 5);
	ck_assert_int_eq(memcmp(r.member.run_id, "run-1", 5), 0);
	ck_assert(trail_next_record(&batch, &r));
	ck_assert(r.kind == TRAIL_PLACE && r.member.number == 1);
	ck_assert(r.member.cursor.files[0].has_mark && !r.member.cursor.files[1].has_mark);
	ck_assert_uint_eq(r.member.cursor.files[0].mark.offset, 200);
	ck_assert(r.member.cursor.files[0].mark.is_finished);
	ck_assert_uint_eq(r.member.cursor.files[0].lines, 20);
	ck_assert(!trail_next_record(&batch, &r));
	ck_assert(!trail_next_batch(bytes.data, bytes.length_bytes, &at, &batch));
	buf_fini(&bytes);
}
END_TEST

START_TEST(a_batch_that_was_not_written_whole_ends_the_segment)
{
	struct trail_record r = member(1, "run-1", 100);
	struct buf bytes = BUF_INIT;
	struct trail_batch batch;
	size_t begun, at = 0;

	begun = trail_begin_batch(&bytes, 1);
	trail_put(&bytes, &r);
	trail_end_batch(&bytes, begun);
	for (size_t length = 0; length < bytes.length_bytes; length++)
		ck_assert(!trail_next_batch(bytes.data, length, &at, &batch));
	bytes.data[bytes.length_bytes - 1] ^= 1;
	ck_assert(!trail_next_batch(bytes.data, bytes.length_bytes, &at, &batch));
	bytes.data[bytes.length_bytes - 1] ^= 1;
	ck_assert(trail_next_batch(bytes.data, bytes.length_bytes, &at, &batch));
	buf_fini(&bytes);
}
END_TEST

START_TEST(another_version_is_refused)
{
	struct buf bytes = BUF_INIT;
	uint64_t trail, first_tick;

	trail_put_header(&bytes, 1, 1);
	ck_assert_int_eq(trail_read_header(bytes.data, 31, &trail, &first_tick), -EBADMSG);
	bytes.data[8]++;
	ck_assert_int_eq(trail_read_header(bytes.data, 32, &trail, &first_tick), -EPROTONOSUPPORT);
	bytes.data[0]++;
	ck_assert_int_eq(trail_read_header(bytes.data, 32, &trail, &first_tick), -EBADMSG);
	buf_fini(&bytes);
}
END_TEST

/* --- the directory -------------------------------------------------------------------------------------- */

/* A segment with a first batch and, behind it, more_bytes of others. Returns its length up to there. */
static size_t
make_segment(uint64_t trail, uint64_t first_tick, size_t more_bytes, int64_t age_s)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                     { .tv_sec = clock_wall_ms() / 1000 - age_s } };
	struct trail_record r = member(1, "run-1", 100);
	struct buf bytes = BUF_INIT;
	size_t begun, first;
	int fd = trail_dir_create(dir_fd, trail, first_tick);

	ck_assert_int_ge(fd, 0);
	trail_put_header(&bytes, trail, first_tick);
	begun = trail_begin_batch(&bytes, first_tick);
	trail_put(&bytes, &r);
	trail_end_batch(&bytes, begun);
	first = bytes.length_bytes;
	ck_assert_ptr_nonnull(buf_reserve(&bytes, more_bytes));
	memset(bytes.data + first, 0, more_bytes);
	ck_assert_int_eq(fd_write_all(fd, bytes.data, first + more_bytes), 0);
	ck_assert_int_eq(futimens(fd, times), 0);
	fd_close(&fd);
	buf_fini(&bytes);
	return first;
}

static int64_t
size_of(uint64_t trail, uint64_t tick)
{
	struct stat st;
	uint64_t first_tick;
	int fd, error = trail_dir_open(dir_fd, trail, tick, &first_tick, &fd);

	if (error)
		return error;
	ck_assert_int_eq(fstat(fd, &st), 0);
	fd_close(&fd);
	return st.st_size;
}

START_TEST(a_tick_is_in_the_last_segment_that_begins_before_it)
{
	uint64_t first_tick;
	int fd;

	make_segment(1, 5, 10, 0);
	make_segment(1, 9, 20, 0);
	make_segment(2, 1, 30, 0);
	ck_assert_int_eq(trail_dir_create(dir_fd, 1, 5), -EEXIST);
	ck_assert_int_eq(trail_dir_open(dir_fd, 1, 4, &first_tick, &fd), -ENOENT);
	ck_assert_int_eq(trail_dir_open(dir_fd, 3, 4, &first_tick, &fd), -ENOENT);
	ck_assert_int_eq(size_of(1, 8) + 10, size_of(1, 9));
	ck_assert_int_eq(size_of(1, UINT64_MAX) + 10, size_of(2, 1));
}
END_TEST

START_TEST(what_is_too_old_goes_and_what_is_too_much_is_shortened_first)
{
	struct trail_dir_limits limits = { .wall_ms = clock_wall_ms(), .retention_s = 1000,
		                           .most_bytes = 15000 };
	struct trail_dir_pruned pruned;
	int other = openat(dir_fd, "something else", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t first;

	fd_close(&other);
	make_segment(1, 1, 10000, 2000);
	first = make_segment(1, 2, 10000, 900);
	make_segment(1, 3, 10000, 800);
	make_segment(1, 4, 10000, 0);
	ck_assert_int_eq(trail_dir_prune(dir_fd, &limits, &pruned), 0);
	ck_assert_uint_eq(pruned.removed, 1);
	ck_assert_uint_eq(pruned.shortened, 2);
	ck_assert_uint_eq(pruned.left, 3);
	ck_assert_int_eq(size_of(1, 1), -ENOENT);
	ck_assert_int_eq(size_of(1, 2), (int64_t)first);
	ck_assert_int_eq(size_of(1, 3), (int64_t)first);
	ck_assert_int_eq(size_of(1, 4), (int64_t)first + 10000); /* being written */
	/* Shortened ones grow old as if nothing had happened. */
	limits.most_bytes = 10;
	ck_assert_int_eq(trail_dir_prune(dir_fd, &limits, &pruned), 0);
	ck_assert_uint_eq(pruned.removed, 2);
	ck_assert_int_eq(size_of(1, 3), -ENOENT);
	ck_assert_int_eq(size_of(1, 4), (int64_t)first + 10000);
	ck_assert_int_eq(faccessat(dir_fd, "something else", F_OK, 0), 0);
}
END_TEST

static const struct buf none;

/* --- written and read ------------------------------------------------------------------------------------- */

struct subject {
	struct trail_subject subject;
	uint64_t offset;
	bool is_told;
};

static void
put(struct trail_subject *subject, struct buf *to, bool all)
{
	struct subject *s = (struct subject *)subject;
	struct trail_record feed = of_feed(), at = member(1, all ? "run-1" : NULL, s->offset);

	if (all)
		trail_put(to, &feed);
	trail_put(to, &at);
}

static void
told(struct trail_subject *subject)
{
	((struct subject *)subject)->is_told = true;
}

static void
wake(void *arg)
{
	*(bool *)arg = true;
}

/* Where run-1 was at a point; -errno if that is not known. */
static int64_t
find(struct trail_reader *reader, const struct feed_point *point)
{
	int64_t until_ms = clock_now_ms() + 10000, found;
	bool is_woken = true;
	struct trail_waiter waiter = { .fn = wake, .arg = &is_woken };
	struct trail_view *view;
	int error = -EAGAIN;

	while (error == -EAGAIN) {
		ck_assert_int_lt(clock_now_ms(), until_ms);
		if (is_woken)
			error = trail_reader_find(reader, point, &waiter, &view);
		is_woken = error != -EAGAIN;
		if (error == -EAGAIN)
			loop_turn(loop, 20);
	}
	trail_reader_leave(reader, &waiter);
	if (error)
		return error;
	found = (int64_t)trail_view_find(view, "run-1")->cursor.files[0].mark.offset;
	ck_assert_ptr_eq(trail_view_member(view, 1), trail_view_find(view, "run-1"));
	ck_assert_ptr_null(trail_view_find(view, "run-2"));
	trail_view_unref(&view);
	return found;
}

static struct feed_point
wait_tick(struct trail *trail, struct subject *s, uint64_t tick)
{
	int64_t until_ms = clock_now_ms() + 10000;

	while (trail_point(trail, &s->subject).tick < tick || !s->is_told) {
		ck_assert_int_lt(clock_now_ms(), until_ms);
		loop_turn(loop, 20);
	}
	return trail_point(trail, &s->subject);
}

START_TEST(what_was_written_is_found_by_another_process)
{
	struct trail *trail = trail_new(loop, offload, dir_fd, &retention_s);
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct feed_point first, second, other;

	trail_add(trail, &s.subject);
	ck_assert(!s.is_told);
	first = wait_tick(trail, &s, 1);
	ck_assert(s.subject.is_on_record);
	s.offset = 20;
	ck_assert_uint_eq(trail_note(trail, &s.subject, false), 2);
	second = wait_tick(trail, &s, 2);
	while (trail_figures(trail).written_bytes == 0 || s.subject.has_changed)
		loop_turn(loop, 20);
	ck_assert_int_eq(find(reader, &first), 10);
	/* It may be asked before it is written; then what was before is the answer. */
	ck_assert_int_ge(find(reader, &second), 10);
	other = first;
	other.feed = 4;
	ck_assert_int_eq(find(reader, &other), -ENOENT);
	other = first;
	other.trail++;
	ck_assert_int_eq(find(reader, &other), -ENOENT);
	trail_remove(trail, &s.subject, &none);
	offload_free(&offload);
	trail_free(&trail);
	trail_reader_free(&reader);
	ck_assert_int_eq(offload_new(loop, 2, &offload), 0);
	reader = trail_reader_new(offload, dir_fd);
	ck_assert_int_eq(find(reader, &first), 10);
	ck_assert_int_eq(find(reader, &second), 20);
	second.tick += 1000; /* that was never written */
	ck_assert_int_eq(find(reader, &second), 20);
	offload_free(&offload);
	trail_reader_free(&reader);
}
END_TEST

/* A trail with one subject, written up to its second tick. */
static struct trail *
make_trail(struct subject *s, struct feed_point *ret_point)
{
	struct trail *trail = trail_new(loop, offload, dir_fd, &retention_s);

	trail_add(trail, &s->subject);
	(void)wait_tick(trail, s, 1);
	s->offset = 20;
	(void)trail_note(trail, &s->subject, false);
	*ret_point = wait_tick(trail, s, 2);
	while (!trail_is_settled(trail, 2))
		loop_turn(loop, 20);
	return trail;
}

static void
drop_trail(struct trail *trail, struct subject *s, struct trail_reader *reader)
{
	trail_remove(trail, &s->subject, &none);
	offload_free(&offload);
	trail_free(&trail);
	trail_reader_free(&reader);
}

START_TEST(a_segment_that_cannot_be_read_is_answered_by_the_one_before_it)
{
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct feed_point point;
	struct trail *trail = make_trail(&s, &point);
	char name[64];
	int fd;

	/* Killed after it was made, before it was written to; and what nobody but an enemy makes. */
	fd = trail_dir_create(dir_fd, point.trail, 100);
	ck_assert_int_ge(fd, 0);
	fd_close(&fd);
	snprintf(name, sizeof(name), "trail-%016llx-%016x", (unsigned long long)point.trail, 101);
	ck_assert_int_eq(mkfifoat(dir_fd, name, 0600), 0);
	snprintf(name, sizeof(name), "trail-%016llx-%016x", (unsigned long long)point.trail, 102);
	ck_assert_int_eq(mkdirat(dir_fd, name, 0700), 0);
	snprintf(name, sizeof(name), "trail-%016llx-%016x", (unsigned long long)point.trail, 103);
	ck_assert_int_eq(symlinkat("/dev/zero", dir_fd, name), 0);
	point.tick = 200;
	ck_assert_int_eq(find(reader, &point), 20);
	drop_trail(trail, &s, reader);
}
END_TEST

START_TEST(who_asks_for_a_tick_that_never_was_does_not_answer_for_others)
{
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct feed_point point, far;
	struct trail *trail = make_trail(&s, &point);

	far = point;
	far.tick = UINT64_MAX;
	ck_assert_int_eq(find(reader, &far), 20);
	s.offset = 30;
	(void)trail_note(trail, &s.subject, false);
	point = wait_tick(trail, &s, 3);
	while (!trail_is_settled(trail, 3))
		loop_turn(loop, 20);
	ck_assert_int_eq(find(reader, &point), 30);
	drop_trail(trail, &s, reader);
}
END_TEST

START_TEST(what_is_written_behind_a_segment_that_was_removed_can_be_found)
{
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct feed_point point;
	struct trail *trail = make_trail(&s, &point);
	char name[64];

	snprintf(name, sizeof(name), "trail-%016llx-%016x", (unsigned long long)point.trail, 1);
	ck_assert_int_eq(unlinkat(dir_fd, name, 0), 0);
	ck_assert_int_eq(find(reader, &point), -ENOENT);
	s.offset = 30;
	(void)trail_note(trail, &s.subject, false);
	point = wait_tick(trail, &s, 4); /* the third was lost */
	while (!trail_is_settled(trail, 4))
		loop_turn(loop, 20);
	ck_assert_int_eq(trail_figures(trail).error, 0);
	ck_assert_int_eq(find(reader, &point), 30);
	drop_trail(trail, &s, reader);
}
END_TEST

START_TEST(a_trail_at_rest_is_written_anew_before_it_is_too_old)
{
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct feed_point point;
	struct trail *trail;
	char name[64];

	retention_s = 2;
	trail = make_trail(&s, &point);
	point = wait_tick(trail, &s, 3);
	while (!trail_is_settled(trail, 3))
		loop_turn(loop, 20);
	snprintf(name, sizeof(name), "trail-%016llx-%016x", (unsigned long long)point.trail, 1);
	ck_assert_int_eq(unlinkat(dir_fd, name, 0), 0); /* too old */
	ck_assert_int_eq(find(reader, &point), 20);
	drop_trail(trail, &s, reader);
}
END_TEST

START_TEST(what_could_not_be_written_is_written_when_it_can_be_though_nothing_changes)
{
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 }, .offset = 10 };
	struct trail_reader *reader = trail_reader_new(offload, dir_fd);
	struct feed_point point;
	struct trail *trail = trail_new(loop, offload, dir_fd, &retention_s);
	char name[64];

	snprintf(name, sizeof(name), "trail-%016llx-%016x",
	         (unsigned long long)trail_point(trail, &s.subject).trail, 1);
	ck_assert_int_eq(mkdirat(dir_fd, name, 0700), 0); /* its first segment cannot be made */
	trail_add(trail, &s.subject);
	point = wait_tick(trail, &s, 1);
	ck_assert_uint_eq(trail_figures(trail).failures, 1);
	ck_assert_int_eq(unlinkat(dir_fd, name, AT_REMOVEDIR), 0);
	point = wait_tick(trail, &s, 2);
	while (!trail_is_settled(trail, 2))
		loop_turn(loop, 20);
	ck_assert_uint_eq(trail_figures(trail).failures, 1);
	ck_assert_int_lt(trail_figures(trail).error, 0);
	ck_assert_uint_gt(trail_figures(trail).written_bytes, 0);
	ck_assert_int_eq(find(reader, &point), 10);
	drop_trail(trail, &s, reader);
}
END_TEST

START_TEST(where_nothing_can_be_written_nobody_is_held_up)
{
	int missing = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct trail *trail = trail_new(loop, offload, missing, &retention_s);
	struct subject s = { .subject = { .put = put, .told = told, .feed = 3 } };
	struct feed_point point;

	ck_assert_int_eq(rmdir(directory), 0);
	trail_add(trail, &s.subject);
	point = wait_tick(trail, &s, 1);
	ck_assert_uint_eq(trail_figures(trail).failures, 1);
	ck_assert_int_eq(trail_figures(trail).error, -ENOENT);
	ck_assert_uint_eq(point.tick, 1);
	trail_remove(trail, &s.subject, &none);
	offload_free(&offload);
	trail_free(&trail);
	fd_close(&missing);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trail");
	TCase *tcase = tcase_create("trail");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, records_are_read_as_they_were_written);
	tcase_add_test(tcase, a_batch_that_was_not_written_whole_ends_the_segment);
	tcase_add_test(tcase, another_version_is_refused);
	tcase_add_test(tcase, a_tick_is_in_the_last_segment_that_begins_before_it);
	tcase_add_test(tcase, what_is_too_old_goes_and_what_is_too_much_is_shortened_first);
	tcase_add_test(tcase, what_was_written_is_found_by_another_process);
	tcase_add_test(tcase, where_nothing_can_be_written_nobody_is_held_up);
	tcase_add_test(tcase, a_segment_that_cannot_be_read_is_answered_by_the_one_before_it);
	tcase_add_test(tcase, who_asks_for_a_tick_that_never_was_does_not_answer_for_others);
	tcase_add_test(tcase, what_is_written_behind_a_segment_that_was_removed_can_be_found);
	tcase_add_test(tcase, a_trail_at_rest_is_written_anew_before_it_is_too_old);
	tcase_add_test(tcase,
	               what_could_not_be_written_is_written_when_it_can_be_though_nothing_changes);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
