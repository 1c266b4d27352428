/* Recording runs: by one, by many at once, and by some that are killed. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/recording.h"
#include "store/run_info.h"

#define NOW_MS INT64_C(1770229842569)
#define NOW "2026-02-04T18:30:42.569Z"

static char directory[64];
static struct recording recording = { .runs_dir_fd = -1, .run_info = "run-info.yaml",
	                              .events = "events.jsonl", .durability = RECORDING_WRITTEN };
static struct fault fault;

static void
set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/runstream-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	recording.runs_dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	recording.durability = RECORDING_WRITTEN;
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
tear_down(void)
{
	fd_close(&recording.runs_dir_fd);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- files ----------------------------------------------------------------------------------------- */

static char *
read_file(const char *path)
{
	int fd = openat(recording.runs_dir_fd, path, O_RDONLY | O_CLOEXEC);
	char *text;

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(fd_read_all(fd, 64 << 20, &text, NULL), 0);
	fd_close(&fd);
	return text;
}

static void
write_file(const char *path, int flags, const char *text)
{
	int fd = openat(recording.runs_dir_fd, path, O_WRONLY | O_CREAT | flags, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static void
expect_file(const char *path, const char *expected)
{
	char *text = read_file(path);

	ck_assert_str_eq(text, expected);
	free(text);
}

static void
expect_status(const char *run, const char *status, int exit_code)
{
	struct run_info info;
	char path[200];

	snprintf(path, sizeof(path), "%s/run-info.yaml", run);
	ck_assert_int_eq(run_info_read(recording.runs_dir_fd, path, &info), 0);
	ck_assert_str_eq(run_info_status(&info), status);
	ck_assert_int_eq(info.exit_code, exit_code);
	ck_assert_int_eq(info.end_time_ms != 0, run_info_status_is_terminal(status));
	run_info_fini(&info);
}

/* --- requests --------------------------------------------------------------------------------------- */

static int
create(const char *body, const char *key, struct recording_created *created)
{
	struct run_request request;
	int r;

	ck_assert_int_eq(run_request_parse(body, strlen(body), key, NOW_MS, &request, &fault), 0);
	r = recording_create(&recording, &request, created);
	run_request_fini(&request);
	return r;
}

/* A run "r" with its first event. */
static void
create_r(void)
{
	struct recording_created created;

	ck_assert_int_eq(create("{\"run_id\":\"r\"}", NULL, &created), 0);
}

#define FIRST "{\"type\":\"run.started\",\"time\":\"" NOW "\"}\n"

static int
post(struct recording_cache *cache, const char *body, const char *key, size_t *recorded)
{
	struct recording_batch batch = { 0 };
	struct event_batch events;
	int r;

	ck_assert_int_eq(event_batch_parse(body, strlen(body), key, NOW_MS, 100, &events, &fault), 0);
	batch.events = &events;
	r = recording_append(&recording, "r", cache, &batch, 1);
	ck_assert_int_eq(r, batch.error);
	if (recorded)
		*recorded = batch.recorded;
	event_batch_fini(&events);
	return r;
}

static int
complete_r(struct recording_cache *cache, const char *body, const char *key)
{
	struct run_completion completion;

	ck_assert_int_eq(run_completion_parse(body, strlen(body), key, &completion, &fault), 0);
	return recording_complete(&recording, "r", cache, &completion, NOW_MS);
}

static unsigned
count_of(const char *path, const char *word)
{
	char *text = read_file(path);
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		count++;
	free(text);
	return count;
}

/* --- making runs ------------------------------------------------------------------------------------ */

START_TEST(a_run_is_made_with_an_id_of_its_own)
{
	struct recording_created a, b;
	char path[RECORDING_PATH_BYTES + 20], *text;

	recording.durability = RECORDING_SYNCED;
	ck_assert_int_eq(create("{\"repo_path\":\"/srv\",\"total_units\":2}", NULL, &a), 0);
	ck_assert_int_eq(create("{}", NULL, &b), 0);
	ck_assert(a.is_new && b.is_new);
	ck_assert_str_ne(a.run_id, b.run_id);
	ck_assert_str_eq(a.run_id, a.path);
	ck_assert(strncmp(a.run_id, "run_2", 5) == 0 && strncmp(a.run_id, b.run_id, 13) <= 0);
	snprintf(path, sizeof(path), "%s/events.jsonl", a.path);
	expect_file(path, "{\"type\":\"run.started\",\"time\":\"" NOW "\",\"repo_path\":\"/srv\",\"total_units\":2}\n");
	expect_status(a.path, "running", -1);
	snprintf(path, sizeof(path), "%s/run-info.yaml", a.path);
	text = read_file(path);
	ck_assert_ptr_null(strstr(text, "/srv"));
	free(text);
}
END_TEST

START_TEST(a_run_of_a_task_lies_in_its_folder)
{
	struct recording_created created;
	struct run_info info;

	ck_assert_int_eq(create("{\"project_id\":\"p\",\"task_id\":\"t 1\",\"run_id\":\"r\"}", NULL, &created), 0);
	ck_assert_str_eq(created.path, "p/t 1/runs/r");
	expect_file("p/t 1/runs/r/events.jsonl", FIRST);
	ck_assert_int_eq(run_info_read(recording.runs_dir_fd, "p/t 1/runs/r/run-info.yaml", &info), 0);
	ck_assert_str_eq(info.run_id, "r");
	ck_assert_str_eq(info.project_id, "p");
	ck_assert_str_eq(info.task_id, "t 1");
	ck_assert_int_gt(info.start_time_ms, NOW_MS);
	run_info_fini(&info);
}
END_TEST

START_TEST(what_is_there_already_is_not_touched)
{
	struct recording_created created;

	create_r();
	ck_assert_int_eq(create("{\"run_id\":\"r\"}", NULL, &created), -EEXIST);
	ck_assert_int_eq(create("{\"run_id\":\"r\"}", "K", &created), -EEXIST);
	expect_file("r/events.jsonl", FIRST);
	/* A folder of something else. */
	mkdirat(recording.runs_dir_fd, "project", 0777);
	mkdirat(recording.runs_dir_fd, "project/task", 0777);
	ck_assert_int_eq(create("{\"run_id\":\"project\"}", "K", &created), -EEXIST);
	ck_assert_int_eq(faccessat(recording.runs_dir_fd, "project/run-info.yaml", F_OK, 0), -1);
	write_file("file", 0, "");
	ck_assert_int_eq(create("{\"run_id\":\"file\"}", NULL, &created), -ENOTDIR);
	ck_assert_int_eq(symlinkat("/tmp", recording.runs_dir_fd, "link"), 0);
	ck_assert_int_eq(create("{\"run_id\":\"link\"}", "K", &created), -ELOOP);
	ck_assert_int_eq(create("{\"project_id\":\"link\",\"task_id\":\"t\"}", NULL, &created), -ELOOP);
}
END_TEST

START_TEST(a_run_has_no_runs_in_it)
{
	struct recording_created created;

	create_r();
	ck_assert_int_eq(create("{\"project_id\":\"r\",\"task_id\":\"t\"}", NULL, &created), -EEXIST);
	ck_assert_int_eq(faccessat(recording.runs_dir_fd, "r/t", F_OK, 0), -1);
}
END_TEST

START_TEST(a_retry_with_its_key_finds_the_run)
{
	struct recording_created first, again, other;
	char path[RECORDING_PATH_BYTES + 20];

	ck_assert_int_eq(create("{\"total_units\":1}", "K", &first), 0);
	ck_assert_int_eq(create("{\"total_units\":1}", "K", &again), 0);
	ck_assert_int_eq(create("{\"total_units\":1}", "L", &other), 0);
	ck_assert(first.is_new && !again.is_new && other.is_new);
	ck_assert_str_eq(first.run_id, again.run_id);
	ck_assert_str_eq(first.path, again.path);
	ck_assert_str_ne(first.run_id, other.run_id);
	snprintf(path, sizeof(path), "%s/events.jsonl", first.path);
	ck_assert_uint_eq(count_of(path, "run.started"), 1);
	/* In another folder it is another run, since ids are unique. */
	ck_assert_int_eq(create("{\"project_id\":\"p\",\"task_id\":\"t\"}", "K", &other), 0);
	ck_assert(other.is_new);
	ck_assert_str_ne(first.run_id, other.run_id);
	ck_assert_int_eq(create("{\"project_id\":\"p\",\"task_id\":\"t\"}", "K", &again), 0);
	ck_assert(!again.is_new);
	ck_assert_str_eq(other.path, again.path);
	ck_assert_int_eq(create("{\"run_id\":\"mine\"}", "K", &first), 0);
	ck_assert_int_eq(create("{\"run_id\":\"mine\"}", "K", &again), 0);
	ck_assert(!again.is_new);
	ck_assert_int_eq(create("{\"run_id\":\"mine\"}", "M", &again), -EEXIST);
}
END_TEST

START_TEST(a_retry_finishes_what_was_cut_short)
{
	static const char *const leftovers[][2] = {
		{ NULL, NULL },
		{ "c/.run-info.yaml.123", "version: 1" },
		{ "c/run-info.yaml", "version: 1\nrun_id: c\nstatus: running\n" },
		{ "c/events.jsonl", "" },
		{ "c/events.jsonl", "{\"type\":\"run.star" },
		{ "c/events.jsonl", "{\"type\":\"run.started\",\"time\":\"" NOW "\",\"key\":\"K\"}" },
	};

	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		struct recording_created created;

		ck_assert_int_eq(mkdirat(recording.runs_dir_fd, "c", 0777), 0);
		if (leftovers[i][0])
			write_file(leftovers[i][0], 0, leftovers[i][1]);
		ck_assert_int_eq(create("{\"run_id\":\"c\"}", "K", &created), 0);
		ck_assert_int_eq(created.is_new, i < 5); /* of the last one all is there but for its newline */
		expect_status("c", "running", -1);
		ck_assert_uint_eq(count_of("c/events.jsonl", "\"run.started\",\"time\":\"" NOW "\",\"key\":\"K\"}\n"), 1);
		ck_assert_uint_eq(count_of("c/events.jsonl", "\n"), 1);
		ck_assert_int_eq(renameat(recording.runs_dir_fd, "c", recording.runs_dir_fd,
		                          (const char *[]){ "0", "1", "2", "3", "4", "5" }[i]), 0);
	}
}
END_TEST

/* --- appending ---------------------------------------------------------------------------------------- */

START_TEST(events_are_appended_in_order)
{
	struct recording_cache *cache = recording_cache_new();
	size_t recorded;

	create_r();
	recording.durability = RECORDING_SYNCED;
	ck_assert_int_eq(post(cache, "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"}]}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 2);
	ck_assert_int_eq(post(NULL, "{\"type\":\"c\"}", NULL, &recorded), 0);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"a\",\"time\":\"" NOW "\"}\n{\"type\":\"b\",\"time\":\"" NOW "\"}\n"
	                              "{\"type\":\"c\",\"time\":\"" NOW "\"}\n");
	recording_cache_free(&cache);
}
END_TEST

START_TEST(a_run_without_the_file_gets_one)
{
	mkdirat(recording.runs_dir_fd, "r", 0777);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), 0);
	expect_file("r/events.jsonl", "{\"type\":\"a\",\"time\":\"" NOW "\"}\n");
}
END_TEST

START_TEST(what_cannot_be_appended_to_is_refused)
{
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), -ENOENT);
	mkdirat(recording.runs_dir_fd, "r", 0777);
	ck_assert_int_eq(symlinkat("other", recording.runs_dir_fd, "r/events.jsonl"), 0);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), -ELOOP);
	unlinkat(recording.runs_dir_fd, "r/events.jsonl", 0);
	mkfifoat(recording.runs_dir_fd, "r/events.jsonl", 0600);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), -ENXIO);
	unlinkat(recording.runs_dir_fd, "r/events.jsonl", 0);
	write_file("r/run-info.yaml", 0, "version: 2\n");
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(a_retry_with_its_key_records_nothing_again)
{
	static const char body[] = "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\",\"key\":\"own\"}]}";
	struct recording_cache *cache = recording_cache_new();
	size_t recorded;

	create_r();
	ck_assert_int_eq(post(cache, body, "K", &recorded), 0);
	ck_assert_uint_eq(recorded, 2);
	ck_assert_int_eq(post(cache, body, "K", &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	/* In another process, which remembers nothing; and what others appended meanwhile. */
	ck_assert_int_eq(post(NULL, "{\"type\":\"b\",\"key\":\"own\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	ck_assert_int_eq(post(NULL, "{\"type\":\"c\",\"key\":\"third\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 1);
	ck_assert_int_eq(post(cache, "{\"type\":\"c\",\"key\":\"third\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	ck_assert_int_eq(post(cache, "{\"events\":[{\"type\":\"d\",\"key\":\"x\"},{\"type\":\"d\",\"key\":\"x\"}]}", NULL,
	                      &recorded), 0);
	ck_assert_uint_eq(recorded, 1);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 5);
	recording_cache_free(&cache);
}
END_TEST

START_TEST(a_request_that_was_recorded_in_part_is_finished_by_its_retry)
{
	size_t recorded;

	create_r();
	write_file("r/events.jsonl", O_APPEND, "{\"type\":\"a\",\"key\":\"K/0\"}\n{\"type\":\"b\",\"ke");
	ck_assert_int_eq(post(NULL, "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"}]}", "K", &recorded), 0);
	ck_assert_uint_eq(recorded, 1);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"a\",\"key\":\"K/0\"}\n"
	                              "               {\"type\":\"b\",\"time\":\"" NOW "\",\"key\":\"K/1\"}\n");
}
END_TEST

START_TEST(several_requests_are_one_write)
{
	static const char *const bodies[] = { "{\"type\":\"a\",\"key\":\"1\"}", "{\"type\":\"b\"}",
		                              "{\"type\":\"a\",\"key\":\"1\"}", "{\"events\":[]}" };
	struct recording_batch batches[4] = { { 0 } };
	struct event_batch events[4];

	create_r();
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(event_batch_parse(bodies[i], strlen(bodies[i]), NULL, NOW_MS, 9, &events[i], &fault), 0);
		batches[i].events = &events[i];
	}
	ck_assert_int_eq(recording_append(&recording, "r", NULL, batches, 4), 0);
	ck_assert_uint_eq(batches[0].recorded, 1);
	ck_assert_uint_eq(batches[1].recorded, 1);
	ck_assert_uint_eq(batches[2].recorded, 0);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(batches[i].error, 0);
		event_batch_fini(&events[i]);
	}
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 3);
}
END_TEST

START_TEST(keys_are_known_from_the_end_of_a_long_file)
{
	struct buf text = BUF_INIT;
	size_t recorded;

	create_r();
	for (int i = 0; i < 120000; i++)
		buf_printf(&text, "{\"type\":\"note\",\"number\":%d,\"key\":\"n%d\"}\n", i, i);
	write_file("r/events.jsonl", O_APPEND, buf_string(&text));
	ck_assert_uint_gt(text.length_bytes, RECORDING_MEMORY_BYTES);
	ck_assert_int_eq(post(NULL, "{\"type\":\"note\",\"key\":\"n119999\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	ck_assert_int_eq(post(NULL, "{\"type\":\"note\",\"key\":\"n88000\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	ck_assert_int_eq(post(NULL, "{\"type\":\"note\",\"key\":\"n0\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 1);
	buf_fini(&text);
}
END_TEST

START_TEST(a_file_that_was_rotated_away_is_begun_anew)
{
	struct recording_cache *cache = recording_cache_new();
	size_t recorded;

	create_r();
	ck_assert_int_eq(post(cache, "{\"type\":\"a\",\"key\":\"k\"}", NULL, &recorded), 0);
	ck_assert_int_eq(renameat(recording.runs_dir_fd, "r/events.jsonl", recording.runs_dir_fd, "r/old"), 0);
	ck_assert_int_eq(post(cache, "{\"type\":\"a\",\"key\":\"k\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 1);
	expect_file("r/events.jsonl", "{\"type\":\"a\",\"time\":\"" NOW "\",\"key\":\"k\"}\n");
	recording_cache_free(&cache);
}
END_TEST

START_TEST(who_is_in_the_middle_of_a_line_is_waited_for)
{
	int from_child[2], status;
	pid_t pid;
	char c;

	create_r();
	ck_assert_int_eq(pipe(from_child), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		write_file("r/events.jsonl", O_APPEND, "{\"type\":");
		if (write(from_child[1], "x", 1) != 1)
			_exit(1);
		usleep(RECORDING_TORN_MS * 1000 / 10);
		write_file("r/events.jsonl", O_APPEND, "\"slow\"}\n");
		_exit(0);
	}
	ck_assert_int_eq(read(from_child[0], &c, 1), 1);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"slow\"}\n{\"type\":\"a\",\"time\":\"" NOW "\"}\n");
	close(from_child[0]);
	close(from_child[1]);
}
END_TEST

START_TEST(a_last_event_without_its_newline_gets_it)
{
	struct recording_cache *cache = recording_cache_new();
	size_t recorded;

	create_r();
	write_file("r/events.jsonl", O_APPEND, "{\"type\":\"last\",\"key\":\"K/0\"}");
	ck_assert_int_eq(post(cache, "{\"type\":\"a\"}", NULL, NULL), 0);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"last\",\"key\":\"K/0\"}\n"
	                              "{\"type\":\"a\",\"time\":\"" NOW "\"}\n");
	/* Its sender was told nothing, and comes again. */
	ck_assert_int_eq(post(cache, "{\"type\":\"last\"}", "K", &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	/* Behind blanks, where something torn was. */
	write_file("r/events.jsonl", O_APPEND, "   {\"type\":\"b\"}");
	ck_assert_int_eq(post(cache, "{\"type\":\"c\"}", NULL, NULL), 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n   {\"type\":\"b\"}\n"), 1);
	/* What is JSON, but no object, is no event. */
	write_file("r/events.jsonl", O_APPEND, "[1]");
	ck_assert_int_eq(post(cache, "{\"type\":\"d\"}", NULL, NULL), 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n   {\"type\":\"d\""), 1);
	recording_cache_free(&cache);
}
END_TEST

START_TEST(a_torn_line_that_is_longer_than_any_of_ours_is_cut)
{
	char *torn = malloc(EVENT_LINE_BYTES + 1);

	create_r();
	memset(torn, 'x', EVENT_LINE_BYTES);
	torn[EVENT_LINE_BYTES] = '\0';
	write_file("r/events.jsonl", O_APPEND, torn);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), 0);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"a\",\"time\":\"" NOW "\"}\n");
	free(torn);
}
END_TEST

START_TEST(where_the_disk_is_full_whole_lines_stay_and_are_acknowledged)
{
	struct recording_batch batches[3] = { { 0 } };
	struct recording_cache *cache = recording_cache_new();
	struct event_batch events[3];
	struct rlimit limit, was;
	struct stat st;
	size_t recorded;

	create_r();
	for (size_t i = 0; i < 3; i++) {
		char body[64];

		snprintf(body, sizeof(body), "{\"type\":\"number\",\"key\":\"n%zu\"}", i);
		ck_assert_int_eq(event_batch_parse(body, strlen(body), NULL, NOW_MS, 9, &events[i], &fault), 0);
		batches[i].events = &events[i];
	}
	ck_assert_int_eq(fstatat(recording.runs_dir_fd, "r/events.jsonl", &st, 0), 0);
	getrlimit(RLIMIT_FSIZE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)st.st_size + events[0].lines.length_bytes + 20;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(recording_append(&recording, "r", cache, batches, 3), -ENOSPC);
	ck_assert_int_eq(batches[0].error, 0);
	ck_assert_uint_eq(batches[0].recorded, 1);
	ck_assert_int_eq(batches[1].error, -ENOSPC);
	ck_assert_int_eq(batches[2].error, -ENOSPC);
	/* Nothing fits at all. */
	ck_assert_int_eq(recording_append(&recording, "r", cache, batches + 1, 1), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &was);
	expect_file("r/events.jsonl", FIRST "{\"type\":\"number\",\"time\":\"" NOW "\",\"key\":\"n0\"}\n                    ");
	ck_assert_int_eq(recording_append(&recording, "r", cache, batches, 3), 0);
	ck_assert_int_eq(post(cache, "{\"type\":\"number\",\"key\":\"n2\"}", NULL, &recorded), 0);
	ck_assert_uint_eq(recorded, 0);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(batches[i].recorded, i > 0);
		event_batch_fini(&events[i]);
	}
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 4);
	recording_cache_free(&cache);
}
END_TEST

/* --- how a run ends, and goes on ----------------------------------------------------------------------- */

START_TEST(a_run_that_has_ended_takes_no_events)
{
	struct recording_cache *cache = recording_cache_new();

	create_r();
	ck_assert_int_eq(post(cache, "{\"type\":\"a\"}", NULL, NULL), 0);
	recording.durability = RECORDING_SYNCED;
	ck_assert_int_eq(complete_r(cache, "{\"status\":\"failed\",\"failed_units\":1,\"error\":\"why\",\"exit_code\":2}", NULL), 0);
	expect_status("r", "failed", 2);
	ck_assert_uint_eq(count_of("r/run-info.yaml", "why"), 1);
	ck_assert_uint_eq(count_of("r/events.jsonl", "{\"type\":\"run.completed\",\"time\":\"" NOW "\",\"status\":\"failed\","
	                                             "\"failed_units\":1,\"exit_code\":2,\"error\":\"why\"}\n"), 1);
	ck_assert_int_eq(post(cache, "{\"type\":\"a\"}", NULL, NULL), -EPERM);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), -EPERM);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 3);
	recording_cache_free(&cache);
}
END_TEST

START_TEST(a_late_retry_of_what_was_recorded_is_told_so_when_the_run_has_ended)
{
	create_r();
	ck_assert_int_eq(post(NULL, "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"}]}", "K", NULL), 0);
	ck_assert_int_eq(complete_r(NULL, "", NULL), 0);
	ck_assert_int_eq(post(NULL, "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"}]}", "K", NULL), 0);
	/* Where some of it is new, nothing is told to be recorded. */
	ck_assert_int_eq(post(NULL, "{\"events\":[{\"type\":\"a\"},{\"type\":\"b\"},{\"type\":\"c\"}]}", "K", NULL), -EPERM);
	ck_assert_int_eq(post(NULL, "{\"events\":[{\"type\":\"a\"}]}", "L", NULL), -EPERM);
	ck_assert_int_eq(post(NULL, "{\"events\":[]}", NULL, NULL), -EPERM);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 4);
}
END_TEST

START_TEST(a_run_ends_once)
{
	create_r();
	ck_assert_int_eq(complete_r(NULL, "{\"completed_units\":3}", NULL), 0);
	ck_assert_int_eq(complete_r(NULL, "{\"completed_units\":3}", NULL), 0);
	ck_assert_int_eq(complete_r(NULL, "{\"completed_units\":4}", NULL), -EPERM);
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"failed\",\"completed_units\":3}", NULL), -EPERM);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.completed"), 1);
	expect_status("r", "completed", 0);
}
END_TEST

START_TEST(an_end_that_was_cut_short_is_finished_by_its_retry)
{
	static const char recorded[] =
		"{\"type\":\"run.completed\",\"time\":\"" NOW "\",\"status\":\"stopped\",\"error\":\"e\",\"key\":\"K\"}\n";

	create_r();
	write_file("r/events.jsonl", O_APPEND, recorded);
	expect_status("r", "running", -1);
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"stopped\",\"error\":\"e\"}", "K"), 0);
	expect_status("r", "stopped", -1);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.completed"), 1);
}
END_TEST

START_TEST(a_run_goes_on)
{
	create_r();
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, NULL, NOW_MS), 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.resumed"), 0); /* it is running */
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"failed\",\"error\":\"e\"}", "C1"), 0);
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, "R1", NOW_MS), 0);
	expect_status("r", "running", -1);
	ck_assert_uint_eq(count_of("r/run-info.yaml", "error_summary"), 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "{\"type\":\"run.resumed\",\"time\":\"" NOW "\",\"key\":\"R1\"}\n"), 1);
	ck_assert_int_eq(post(NULL, "{\"type\":\"a\"}", NULL, NULL), 0);
	/* A late retry of what ended it then does not end it now. */
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"failed\",\"error\":\"e\"}", "C1"), 0);
	expect_status("r", "running", -1);
	ck_assert_int_eq(complete_r(NULL, "{}", "C2"), 0);
	expect_status("r", "completed", 0);
	/* Nor does one of what had it go on. */
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, "R1", NOW_MS), 0);
	expect_status("r", "completed", 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 5);
}
END_TEST

START_TEST(going_on_that_was_cut_short_is_finished_by_its_retry)
{
	char *running;

	create_r();
	running = read_file("r/run-info.yaml");
	ck_assert_int_eq(complete_r(NULL, "{}", NULL), 0);
	write_file("r/run-info.yaml", O_TRUNC, running);
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, "R", NOW_MS), 0);
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, "R", NOW_MS), 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.resumed"), 1);
	free(running);
}
END_TEST

START_TEST(a_run_that_others_ended)
{
	mkdirat(recording.runs_dir_fd, "r", 0777);
	write_file("r/run-info.yaml", 0, "run_id: r\nstatus: completed\nexit_code: 0\nend_time: " NOW "\n");
	ck_assert_int_eq(complete_r(NULL, "{}", NULL), 0);
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"failed\"}", NULL), -EPERM);
	ck_assert_int_eq(recording_resume(&recording, "r", NULL, NULL, NOW_MS), 0);
	expect_status("r", "running", -1);
	expect_file("r/events.jsonl", "{\"type\":\"run.resumed\",\"time\":\"" NOW "\"}\n");
}
END_TEST

START_TEST(a_run_without_run_info_gets_one_when_it_ends)
{
	mkdirat(recording.runs_dir_fd, "r", 0777);
	ck_assert_int_eq(complete_r(NULL, "{\"status\":\"cancelled\"}", NULL), 0);
	expect_status("r", "cancelled", -1);
	ck_assert_uint_eq(count_of("r/run-info.yaml", "run_id: r\n"), 1);
}
END_TEST

/* --- reading -------------------------------------------------------------------------------------------- */

static struct buf answer = BUF_INIT;

static const char *
get(struct recording_query *query)
{
	int r;

	buf_clear(&answer);
	query->run_id = "r";
	if (query->limit == 0)
		query->limit = 100;
	if (query->most_bytes == 0)
		query->most_bytes = SIZE_MAX;
	while ((r = recording_read(&recording, "r", query, &answer)) == -EAGAIN)
		;
	ck_assert_int_eq(r, 0);
	return buf_string(&answer);
}

START_TEST(events_are_read_back)
{
	mkdirat(recording.runs_dir_fd, "r", 0777);
	ck_assert_str_eq(get(&(struct recording_query){ .after = 7 }),
	                 "{\"run_id\":\"r\",\"events\":[],\"next_after\":7,\"has_more\":false}");
	write_file("r/events.jsonl", 0, "{\"type\":\"a\",\"unit\":\"x\"}\nno event\n{\"type\":\"b\",\"unit\":\"\\u0078\"}\n"
	                                "{\"type\":\"a\",\"n\":1.50}\n{\"type\":\"unfinished\"");
	ck_assert_str_eq(get(&(struct recording_query){ 0 }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":1,\"type\":\"a\",\"unit\":\"x\"},"
	                 "{\"run_id\":\"r\",\"seq\":3,\"type\":\"b\",\"unit\":\"\\u0078\"},"
	                 "{\"run_id\":\"r\",\"seq\":4,\"type\":\"a\",\"n\":1.50}],\"next_after\":4,\"has_more\":false}");
	ck_assert_str_eq(get(&(struct recording_query){ .after = 1, .limit = 1 }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":3,\"type\":\"b\",\"unit\":\"\\u0078\"}],"
	                 "\"next_after\":3,\"has_more\":true}");
	ck_assert_str_eq(get(&(struct recording_query){ .type = "a", .unit = "x" }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":1,\"type\":\"a\",\"unit\":\"x\"}],"
	                 "\"next_after\":4,\"has_more\":false}");
	ck_assert_str_eq(get(&(struct recording_query){ .unit = "x", .after = 1 }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":3,\"type\":\"b\",\"unit\":\"\\u0078\"}],"
	                 "\"next_after\":4,\"has_more\":false}");
	/* From a place that is known. */
	ck_assert_str_eq(get(&(struct recording_query){ .offset = 33, .seq = 2, .after = 3 }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":4,\"type\":\"a\",\"n\":1.50}],"
	                 "\"next_after\":4,\"has_more\":false}");
	ck_assert_ptr_nonnull(strstr(get(&(struct recording_query){ .most_bytes = 50 }), "\"next_after\":1,\"has_more\":true"));
}
END_TEST

START_TEST(a_last_event_without_its_newline_is_read_back)
{
	mkdirat(recording.runs_dir_fd, "r", 0777);
	write_file("r/events.jsonl", 0, "{\"type\":\"a\"}\n{\"type\":\"b\"}");
	ck_assert_str_eq(get(&(struct recording_query){ .after = 1 }),
	                 "{\"run_id\":\"r\",\"events\":[{\"run_id\":\"r\",\"seq\":2,\"type\":\"b\"}],"
	                 "\"next_after\":2,\"has_more\":false}");
	ck_assert_ptr_nonnull(strstr(get(&(struct recording_query){ .limit = 1 }), "\"next_after\":1,\"has_more\":true"));
	ck_assert_ptr_nonnull(strstr(get(&(struct recording_query){ .limit = 2 }), "\"next_after\":2,\"has_more\":false"));
	write_file("r/events.jsonl", O_APPEND, "\n");
	ck_assert_ptr_nonnull(strstr(get(&(struct recording_query){ .after = 2 }), "\"events\":[],\"next_after\":2,"));
}
END_TEST

START_TEST(a_long_file_is_read_in_slices)
{
	char *line = malloc(50001);
	struct recording_query query = { .run_id = "r", .after = 500, .limit = 10, .most_bytes = SIZE_MAX };
	unsigned slices = 0;
	int fd, r;

	mkdirat(recording.runs_dir_fd, "r", 0777);
	fd = openat(recording.runs_dir_fd, "r/events.jsonl", O_WRONLY | O_CREAT, 0644);
	memset(line, ' ', 50000);
	memcpy(line, "{\"type\":\"a\"}", 12);
	line[49999] = '\n';
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(fd_write_all(fd, line, 50000), 0);
	/* A line that is longer than a slice, and is no event. */
	for (int i = 0; i < 400; i++)
		ck_assert_int_eq(fd_write_all(fd, line, 49999), 0);
	ck_assert_int_eq(fd_write_all(fd, "\n{\"type\":\"last\"}\n", 17), 0);
	buf_clear(&answer);
	while ((r = recording_read(&recording, "r", &query, &answer)) == -EAGAIN)
		slices++;
	ck_assert_int_eq(r, 0);
	ck_assert_uint_ge(slices, 2);
	ck_assert_ptr_nonnull(strstr(buf_string(&answer), "\"type\":\"last\"}],"));
	ck_assert_uint_eq(query.count, 1);
	fd_close(&fd);
	free(line);
}
END_TEST

/* --- many at once ----------------------------------------------------------------------------------------- */

/* Two writers each have the same requests, as if one were the other's retry. */
enum { CLIENTS = 3, WRITERS = 2 * CLIENTS, REQUESTS = 200, KILLS = 40, TORN = 5 };

/* How far the writers are, in memory that outlives them. */
struct ledger {
	_Atomic unsigned next[WRITERS]; /* the request that is under way: those before it were
	                                 * acknowledged */
};

/* Sends its requests, from the one on that a predecessor was killed at, again with the same key. */
static _Noreturn void
write_requests(struct ledger *ledger, unsigned number)
{
	struct recording_cache *cache = recording_cache_new();
	unsigned writer = number / 2;

	while (ledger->next[number] < REQUESTS) {
		unsigned request = ledger->next[number];
		struct recording_batch batch = { 0 };
		struct event_batch events;
		char body[4000], key[32];
		int length;

		/* Of several sizes, some larger than a page: a write of them can be cut short. */
		length = snprintf(body, sizeof(body), "{\"events\":[{\"type\":\"w\",\"w\":%u,\"q\":%u,\"e\":0,\"pad\":\"%*s\"},"
		                  "{\"type\":\"w\",\"w\":%u,\"q\":%u,\"e\":1}]}", writer, request,
		                  (int)(request * 37 % 3000), "", writer, request);
		snprintf(key, sizeof(key), "w%u-%u", writer, request);
		if (event_batch_parse(body, (size_t)length, key, NOW_MS, 10, &events, &fault) < 0)
			_exit(1);
		batch.events = &events;
		if (recording_append(&recording, "r", cache, &batch, 1) < 0)
			_exit(2);
		ledger->next[number] = request + 1;
		event_batch_fini(&events);
	}
	recording_cache_free(&cache);
	_exit(0);
}

static void
check_everything_is_there_once(void)
{
	static unsigned char seen[CLIENTS][REQUESTS][2];
	char *text = read_file("r/events.jsonl"), *line = text, *newline;
	unsigned last[CLIENTS] = { 0 }, lines = 0;

	while ((newline = strchr(line, '\n'))) {
		struct json_object *event, *value;
		unsigned writer, request, number;

		*newline = '\0';
		event = json_tokener_parse(line);
		ck_assert_msg(event != NULL, "torn: %s", line);
		if (json_object_object_get_ex(event, "w", &value)) {
			writer = (unsigned)json_object_get_int(value);
			json_object_object_get_ex(event, "q", &value);
			request = (unsigned)json_object_get_int(value);
			json_object_object_get_ex(event, "e", &value);
			number = (unsigned)json_object_get_int(value);
			ck_assert_uint_eq(seen[writer][request][number]++, 0);
			ck_assert_uint_ge(request * 2 + number, last[writer]);
			last[writer] = request * 2 + number;
			lines++;
		}
		json_object_put(event);
		line = newline + 1;
	}
	ck_assert_str_eq(line, "");
	ck_assert_uint_eq(lines, CLIENTS * REQUESTS * 2);
	free(text);
}

/* As one leaves it that is killed in the middle of a write, which is hard to hit upon. */
static void
tear(void)
{
	int fd = openat(recording.runs_dir_fd, "r/events.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(fd_write_all(fd, "{\"type\":\"torn", 13), 0);
	fd_close(&fd);
}

START_TEST(every_acknowledged_event_is_there_once_whoever_is_killed)
{
	struct ledger *ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t until_ms = clock_now_ms() + 50000;
	unsigned left = WRITERS, kills = 0, seed = 20260204;
	pid_t pids[WRITERS];

	ck_assert_ptr_ne(ledger, MAP_FAILED);
	create_r();
	for (unsigned i = 0; i < WRITERS; i++)
		if ((pids[i] = fork()) == 0)
			write_requests(ledger, i);
	while (left > 0) {
		unsigned victim = (unsigned)rand_r(&seed) % WRITERS;
		int status;
		pid_t pid;

		ck_assert_int_lt(clock_now_ms(), until_ms);
		if (kills < KILLS && pids[victim] > 0) {
			usleep((useconds_t)rand_r(&seed) % 3000);
			kill(pids[victim], SIGKILL);
			if (kills++ % (KILLS / TORN) == 0)
				tear();
		}
		pid = waitpid(-1, &status, kills < KILLS ? WNOHANG : 0);
		for (unsigned i = 0; i < WRITERS && pid > 0; i++) {
			if (pids[i] != pid)
				continue;
			pids[i] = 0;
			if (WIFSIGNALED(status)) {
				if ((pids[i] = fork()) == 0)
					write_requests(ledger, i);
			} else {
				ck_assert_int_eq(WEXITSTATUS(status), 0);
				left--;
			}
		}
	}
	ck_assert_uint_gt(kills, 5);
	/* What was torn last is gone as well. */
	ck_assert_int_eq(post(NULL, "{\"type\":\"last\"}", NULL, NULL), 0);
	check_everything_is_there_once();
	munmap(ledger, sizeof(*ledger));
}
END_TEST

/* Makes the run, and ends it, as often as it is killed on the way. */
START_TEST(a_run_is_made_and_ended_once_whoever_is_killed)
{
	unsigned seed = 7, kills = 0;
	int status = -1;

	while (status != 0 && kills < 300) {
		pid_t pid = fork();

		if (pid == 0) {
			struct recording_created created;

			if (create("{\"run_id\":\"r\"}", "K", &created) < 0)
				_exit(1);
			if (complete_r(NULL, "{\"completed_units\":1}", "C") < 0)
				_exit(2);
			_exit(0);
		}
		/* More and more: instrumented, it takes its time. */
		usleep((useconds_t)rand_r(&seed) % (kills < 60 ? 800 : 2000 * kills));
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		kills++;
	}
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.started"), 1);
	ck_assert_uint_eq(count_of("r/events.jsonl", "run.completed"), 1);
	ck_assert_uint_eq(count_of("r/events.jsonl", "\n"), 2);
	expect_status("r", "completed", 0);
}
END_TEST

static void
tear_down_answer(void)
{
	buf_fini(&answer);
	tear_down();
}

int
main(void)
{
	Suite *suite = suite_create("recording");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 300);
	tcase_add_checked_fixture(tests, set_up, tear_down_answer);
	tcase_add_test(tests, a_run_is_made_with_an_id_of_its_own);
	tcase_add_test(tests, a_run_of_a_task_lies_in_its_folder);
	tcase_add_test(tests, what_is_there_already_is_not_touched);
	tcase_add_test(tests, a_run_has_no_runs_in_it);
	tcase_add_test(tests, a_retry_with_its_key_finds_the_run);
	tcase_add_test(tests, a_retry_finishes_what_was_cut_short);
	tcase_add_test(tests, events_are_appended_in_order);
	tcase_add_test(tests, a_run_without_the_file_gets_one);
	tcase_add_test(tests, what_cannot_be_appended_to_is_refused);
	tcase_add_test(tests, a_retry_with_its_key_records_nothing_again);
	tcase_add_test(tests, a_request_that_was_recorded_in_part_is_finished_by_its_retry);
	tcase_add_test(tests, several_requests_are_one_write);
	tcase_add_test(tests, keys_are_known_from_the_end_of_a_long_file);
	tcase_add_test(tests, a_file_that_was_rotated_away_is_begun_anew);
	tcase_add_test(tests, who_is_in_the_middle_of_a_line_is_waited_for);
	tcase_add_test(tests, a_last_event_without_its_newline_gets_it);
	tcase_add_test(tests, a_torn_line_that_is_longer_than_any_of_ours_is_cut);
	tcase_add_test(tests, where_the_disk_is_full_whole_lines_stay_and_are_acknowledged);
	tcase_add_test(tests, a_run_that_has_ended_takes_no_events);
	tcase_add_test(tests, a_late_retry_of_what_was_recorded_is_told_so_when_the_run_has_ended);
	tcase_add_test(tests, a_run_ends_once);
	tcase_add_test(tests, an_end_that_was_cut_short_is_finished_by_its_retry);
	tcase_add_test(tests, a_run_goes_on);
	tcase_add_test(tests, going_on_that_was_cut_short_is_finished_by_its_retry);
	tcase_add_test(tests, a_run_that_others_ended);
	tcase_add_test(tests, a_run_without_run_info_gets_one_when_it_ends);
	tcase_add_test(tests, events_are_read_back);
	tcase_add_test(tests, a_last_event_without_its_newline_is_read_back);
	tcase_add_test(tests, a_long_file_is_read_in_slices);
	tcase_add_test(tests, every_acknowledged_event_is_there_once_whoever_is_killed);
	tcase_add_test(tests, a_run_is_made_and_ended_once_whoever_is_killed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
