#include "stream_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/conf.h"
#include "kept_state.h"
#include "store/file_fingerprint.h"
#include "store/file_identity.h"

enum { DEADLINE_MS = 10000, MOST_READERS = 64 };

static struct reader *readers[MOST_READERS];

static void
make_registries(struct fixture *f)
{
	f->registry_fd = registry_create(100);
	ck_assert_int_ge(f->registry_fd, 0);
	ck_assert_int_eq(registry_writer_open(f->registry_fd, &f->writer), 0);
	ck_assert_int_eq(registry_open(f->registry_fd, &f->registry), 0);
	f->buses_fd = registry_create(100);
	ck_assert_int_ge(f->buses_fd, 0);
	ck_assert_int_eq(registry_writer_open(f->buses_fd, &f->buses_writer), 0);
	ck_assert_int_eq(registry_open(f->buses_fd, &f->buses), 0);
	registry_writer_look_begin(f->writer);
	registry_writer_look_finish(f->writer);
}

static void
drop_registries(struct fixture *f)
{
	registry_close(&f->registry);
	registry_writer_close(&f->writer);
	fd_close(&f->registry_fd);
	registry_close(&f->buses);
	registry_writer_close(&f->buses_writer);
	fd_close(&f->buses_fd);
}

static void
make_hub(struct fixture *f)
{
	ck_assert_int_eq(offload_new(f->loop, 4, &f->offload), 0);
	ck_assert_int_eq(hub_new(f->loop, f->offload, &f->settings, f->registry, f->buses,
	                         f->runs_dir_fd, &f->hub), 0);
	ck_assert_int_eq(hub_keep_trail(f->hub, f->state_dir_fd), 0);
}

static void
drop_hub(struct fixture *f)
{
	offload_free(&f->offload);
	ck_assert_uint_eq(f->hub->channel_count, 0);
	ck_assert_uint_eq(f->hub->cache.bytes, 0);
	ck_assert_uint_eq(followers_figures(f->hub->followers).followers, 0);
	ck_assert_uint_eq(followers_figures(f->hub->followers).files_open, 0);
	hub_free(&f->hub);
}

void
fixture_kill(struct fixture *f)
{
	f->kept = kept_state_new(f->state_directory);
}

void
fixture_restart(struct fixture *f, bool registry_too)
{
	drop_hub(f);
	kept_state_restore(&f->kept, f->state_directory);
	if (registry_too) {
		drop_registries(f);
		make_registries(f);
	}
	make_hub(f);
}

void
fixture_set_up(struct fixture *f, bool inotify)
{
	fixture_set_up_in(f, inotify, "/tmp");
}

void
fixture_set_up_in(struct fixture *f, bool inotify, const char *parent)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->directory, sizeof(f->directory), "%s/runstream-test-XXXXXX", parent);
	ck_assert_ptr_nonnull(mkdtemp(f->directory));
	f->runs_dir_fd = open(f->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(f->runs_dir_fd, 0);
	ck_assert_int_eq(settings_init(&f->settings), 0);
	f->settings.api.sse.poll_interval_ms = 10;
	f->settings.api.sse.partial_flush_ms = 60;
	f->settings.api.sse.terminal_linger_ms = 50;
	f->settings.following.inotify = inotify;
	f->settings.following.healthy_poll_interval_ms = 100;
	snprintf(f->state_directory, sizeof(f->state_directory), "%s/runstream-state-XXXXXX", parent);
	ck_assert_ptr_nonnull(mkdtemp(f->state_directory));
	f->state_dir_fd = open(f->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(f->state_dir_fd, 0);
	ck_assert_int_eq(loop_new(&f->loop), 0);
	make_registries(f);
	make_hub(f);
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
fixture_tear_down(struct fixture *f)
{
	for (size_t i = 0; i < MOST_READERS; i++)
		reader_free(&readers[i]);
	drop_hub(f);
	drop_registries(f);
	fd_close(&f->state_dir_fd);
	nftw(f->state_directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	fd_close(&f->runs_dir_fd);
	loop_free(&f->loop);
	settings_fini(&f->settings);
	nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* As discovery does when it sees that a run is over. */
static void
note_ending(struct fixture *f, const char *id, struct registry_ending *ret_ending)
{
	const char *const names[REGISTRY_FILES] = { f->settings.storage.files.stdout_log,
		                                    f->settings.storage.files.stderr_log,
		                                    f->settings.storage.files.events };

	*ret_ending = (struct registry_ending){ .is_known = true };
	for (int i = 0; i < REGISTRY_FILES; i++) {
		char path[300];
		struct statx file;
		int fd;

		snprintf(path, sizeof(path), "%s/%s", id, names[i]);
		if (statx(f->runs_dir_fd, path, 0, STATX_SIZE | STATX_MTIME | FILE_IDENTITY_MASK, &file) < 0)
			continue;
		if (file.stx_mtime.tv_sec * 1000 > ret_ending->written_ms)
			ret_ending->written_ms = file.stx_mtime.tv_sec * 1000;
		ret_ending->files[i].bytes = file.stx_size;
		ret_ending->files[i].identity = file_identity(&file);
		fd = openat(f->runs_dir_fd, path, O_RDONLY);
		ck_assert_int_ge(fd, 0);
		if (file.stx_size > 0)
			ck_assert_int_eq(file_fingerprint(fd, file.stx_size, &ret_ending->files[i].fingerprint), 0);
		fd_close(&fd);
	}
}

void
fixture_put_run(struct fixture *f, const char *id, const char *status, int exit_code)
{
	fixture_put_run_of(f, id, "t", status, exit_code);
}

static void
put_run(struct fixture *f, const char *id, const char *task, const char *status, int exit_code)
{
	struct registry_run run = { .exit_code = exit_code }, known = { 0 };

	snprintf(run.run_id, sizeof(run.run_id), "%s", id);
	snprintf(run.project_id, sizeof(run.project_id), "p");
	snprintf(run.task_id, sizeof(run.task_id), "%s", task);
	snprintf(run.status, sizeof(run.status), "%s", status);
	run.is_terminal = strcmp(status, "running") != 0;
	run.first_seen_ms = clock_wall_ms();
	if (registry_find(f->registry, id, &known) == 0) {
		run.first_seen_ms = known.first_seen_ms;
		run.ending = known.ending;
	}
	if (run.is_terminal && !known.is_terminal) {
		note_ending(f, id, &run.ending);
	} else if (run.is_terminal) {
		struct registry_ending now;

		note_ending(f, id, &now);
		for (int i = 0; i < REGISTRY_FILES; i++)
			run.ending.is_outdated |= now.files[i].bytes != run.ending.files[i].bytes;
	}
	ck_assert_int_eq(registry_writer_put(f->writer, &run, NULL, NULL), 0);
	mkdirat(f->runs_dir_fd, id, 0755);
}

void
fixture_put_run_of(struct fixture *f, const char *id, const char *task, const char *status, int exit_code)
{
	put_run(f, id, task, status, exit_code);
	hub_registry_changed(f->hub);
}

void
fixture_put_run_untold(struct fixture *f, const char *id, const char *status, int exit_code)
{
	put_run(f, id, "t", status, exit_code);
}

struct registry_run
fixture_run(struct fixture *f, const char *id)
{
	struct registry_run run;

	ck_assert_int_eq(registry_find(f->registry, id, &run), 0);
	return run;
}

static void
put_text(struct fixture *f, const char *path, int flags, const char *text, size_t length)
{
	int fd = openat(f->runs_dir_fd, path, O_WRONLY | O_CREAT | flags, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, text, length), 0);
	fd_close(&fd);
}

void
fixture_write(struct fixture *f, const char *path, const char *text, size_t length)
{
	put_text(f, path, O_TRUNC, text, length);
}

void
fixture_append(struct fixture *f, const char *path, const char *text)
{
	put_text(f, path, O_APPEND, text, strlen(text));
}

void
fixture_rename(struct fixture *f, const char *from, const char *to)
{
	ck_assert_int_eq(renameat(f->runs_dir_fd, from, f->runs_dir_fd, to), 0);
}

void
fixture_copy(struct fixture *f, const char *from, const char *to)
{
	int in = openat(f->runs_dir_fd, from, O_RDONLY | O_CLOEXEC);
	int out = openat(f->runs_dir_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct stat stat;

	ck_assert(in >= 0 && out >= 0 && fstat(in, &stat) == 0);
	ck_assert_int_eq(sendfile(out, in, NULL, (size_t)stat.st_size), stat.st_size);
	close(in);
	close(out);
}

void
fixture_truncate(struct fixture *f, const char *path)
{
	put_text(f, path, O_TRUNC, "", 0);
}

/* --- readers ------------------------------------------------------------------------------------------ */

static struct reader *
make_reader(struct fixture *f)
{
	struct reader *r = calloc(1, sizeof(*r));
	size_t i = 0;

	ck_assert_ptr_nonnull(r);
	r->fixture = f;
	r->is_awake = true;
	while (readers[i])
		i++;
	ck_assert_uint_lt(i, MOST_READERS);
	readers[i] = r;
	return r;
}

struct reader *
reader_new_of_kind(struct fixture *f, const struct channel_request *request, const struct start *start)
{
	struct reader *r = make_reader(f);

	ck_assert_int_eq(subscriber_new(f->hub, request, start, reader_wake, r, &r->stream), 0);
	return r;
}

struct reader *
reader_new(struct fixture *f, const char *run_id, unsigned files, const struct start *start)
{
	struct registry_run run = fixture_run(f, run_id);
	struct channel_request request = { .kind = &stream_kind_log, .run = &run, .files = files };

	return reader_new_of_kind(f, &request, start);
}

struct reader *
reader_new_of_many(struct fixture *f, const struct feed_request *request)
{
	struct reader *r = make_reader(f);

	ck_assert_int_eq(feed_subscribe(f->hub, request, reader_wake, r, &r->stream), 0);
	return r;
}

struct channel *
reader_channel(const struct reader *r)
{
	return ((struct subscriber *)r->stream)->channel;
}

struct reader *
reader_resume(struct fixture *f, const char *run_id, const char *id)
{
	struct start start = { .kind = START_BEGINNING };

	if (id) {
		start.kind = START_CURSOR;
		if (cursor_parse(id, strlen(id), &start.cursor) < 0)
			start = (struct start){ .is_cursor_invalid = true };
	}
	return reader_new(f, run_id, CHANNEL_BOTH, &start);
}

void
reader_free(struct reader **reader)
{
	struct reader *r = *reader;

	if (!r)
		return;
	for (size_t i = 0; i < MOST_READERS; i++)
		if (readers[i] == r)
			readers[i] = NULL;
	for (size_t i = 0; i < r->count; i++)
		json_object_put(r->events[i].data);
	stream_free(&r->stream);
	free(r);
	*reader = NULL;
}

void
fixture_turn(struct fixture *f, int timeout_ms)
{
	bool is_busy = false;

	for (size_t i = 0; i < MOST_READERS; i++)
		if (readers[i])
			reader_take(readers[i]);
	for (size_t i = 0; i < MOST_READERS; i++)
		is_busy |= readers[i] && reader_is_busy(readers[i]);
	ck_assert_int_eq(loop_turn(f->loop, is_busy ? 0 : timeout_ms), 0);
}

void
fixture_pass(struct fixture *f, int64_t time_ms)
{
	int64_t until_ms = clock_now_ms() + time_ms;

	while (clock_now_ms() < until_ms)
		fixture_turn(f, 5);
}

void
reader_wait(struct reader *r, const char *name, size_t count)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;

	while (reader_count(r, name) < count) {
		ck_assert_msg(clock_now_ms() < until_ms, "%zu of %zu events %s came; lines: %s",
		              reader_count(r, name), count, name, reader_lines(r, "stdout"));
		fixture_turn(r->fixture, 20);
	}
}

void
reader_wait_lines(struct reader *r, const char *stream, const char *lines)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;

	while (strcmp(reader_lines(r, stream), lines) != 0) {
		ck_assert_msg(clock_now_ms() < until_ms, "lines of %s:\n%s\nwanted:\n%s", stream,
		              reader_lines(r, stream), lines);
		fixture_turn(r->fixture, 20);
	}
}

void
reader_wait_over(struct reader *r)
{
	int64_t until_ms = clock_now_ms() + DEADLINE_MS;

	while (!r->is_over) {
		ck_assert_msg(clock_now_ms() < until_ms, "not over; lines: %s", reader_lines(r, "stdout"));
		fixture_turn(r->fixture, 20);
	}
}

void
fixture_settle(struct fixture *f)
{
	int64_t until_ms = clock_now_ms() + 250; /* more than two looks of a healthy watch */

	while (clock_now_ms() < until_ms)
		fixture_turn(f, 20);
}
