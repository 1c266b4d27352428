/* Discovery as a process of its own: what it finds, how soon, and what it survives. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "conf/settings_message.h"
#include "discovery/discovery.h"
#include "shm/bell.h"
#include "shm/counters.h"
#include "shm/registry.h"
#include "shm/registry_bus.h"
#include "shm/registry_writer.h"

enum { DEADLINE_MS = 20000, SLOW_MS = 3600000 };

static char base[64], root[80];
static struct instance instance;
static int ringer;
static struct registry *registry, *buses;
static struct counters *counters;
static int supervisor_fd;
static pid_t child;

/* --- a tree and a discovery --------------------------------------------------------------------- */

static void __attribute__((format(printf, 1, 2)))
shell(const char *format, ...)
{
	char command[1024];
	va_list args;
	int n = snprintf(command, sizeof(command), "set -e; cd '%s'; ", base);

	va_start(args, format);
	vsnprintf(command + n, sizeof(command) - (size_t)n, format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
write_info(const char *dir, const char *text)
{
	shell("mkdir -p runs/%s; printf '%s' > runs/%s/.new; mv runs/%s/.new runs/%s/run-info.yaml",
	      dir, text, dir, dir, dir);
}

static void
start(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	supervisor_fd = pair[0];
	instance.supervisor_fd = pair[1];
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		/* Sanitizers end a process by exit() to look for leaks. */
		close(supervisor_fd);
		exit(discovery_main(&instance));
	}
	close(pair[1]);
}

static void
stop(void)
{
	int status;

	fd_close(&supervisor_fd);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static void
kill_discovery(void)
{
	int status;

	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	fd_close(&supervisor_fd);
}

static void
set_up(void)
{
	strcpy(base, "/tmp/test_discovery.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(root, sizeof(root), "%s/runs", base);
	ck_assert_int_eq(mkdir(root, 0755), 0);
	ck_assert_int_eq(settings_init(&instance.settings), 0);
	free(instance.settings.storage.runs_dir);
	instance.settings.storage.runs_dir = strdup(root);
	instance.settings.api.sse.discovery_interval_ms = 50;
	instance.runs_dir_fd = -1;
	instance.state_dir_fd = -1;
	instance.board_fd = -1;
	instance.discovery_counters_fd = counters_create();
	ck_assert_int_eq(counters_open(instance.discovery_counters_fd, false, &counters), 0);
	for (int i = 0; i < INSTANCE_WORKERS_MAX; i++)
		instance.worker_bell_fds[i] = instance.occupancy_fds[i] =
			instance.counters_fds[i] = -1;
	instance.worker_count = 1;
	instance.worker_bell_fds[0] = eventfd(0, EFD_NONBLOCK);
	ck_assert_int_eq(bell_create(&instance.discovery_bell_fd, &ringer), 0);
	instance.registry_fd = registry_create(1000);
	instance.buses_fd = registry_create(1000);
	ck_assert_int_eq(registry_open(instance.buses_fd, &buses), 0);
	ck_assert_int_eq(registry_open(instance.registry_fd, &registry), 0);
}

static void
tear_down(void)
{
	registry_close(&registry);
	registry_close(&buses);
	counters_close(&counters);
	close(instance.discovery_counters_fd);
	settings_fini(&instance.settings);
	close(instance.registry_fd);
	close(instance.buses_fd);
	close(instance.discovery_bell_fd);
	close(ringer);
	close(instance.worker_bell_fds[0]);
	shell("chmod -R u+rwx runs 2>/dev/null || true; rm -rf '%s'", base);
}

/* --- waiting ------------------------------------------------------------------------------------ */

/* Waits for discovery to ring, as a worker does. */
static void
wait_bell(int64_t deadline_ms, const char *what)
{
	struct pollfd bell = { .fd = instance.worker_bell_fds[0], .events = POLLIN };
	int64_t left_ms = deadline_ms - clock_now_ms();
	eventfd_t count;

	ck_assert_msg(left_ms > 0 && poll(&bell, 1, (int)left_ms) == 1, "waited for %s", what);
	eventfd_read(bell.fd, &count);
}

typedef bool holds_fn(const struct registry_run *run, const char *what);

static bool
has_status(const struct registry_run *run, const char *what)
{
	return !run->is_deleted && strcmp(run->status, what) == 0;
}

static bool
is_deleted(const struct registry_run *run, const char *what)
{
	(void)what;
	return run->is_deleted;
}

static bool
lies_at(const struct registry_run *run, const char *what)
{
	char path[512];

	registry_run_path(run, path, sizeof(path));
	return !run->is_deleted && strcmp(path, what) == 0;
}

static struct registry_run
wait_run(const char *id, holds_fn *holds, const char *what)
{
	int64_t deadline_ms = clock_now_ms() + DEADLINE_MS;
	struct registry_run run;
	char wanted[96];

	snprintf(wanted, sizeof(wanted), "%s to be %s", id, what);
	while (registry_find(registry, id, &run) != 0 || !holds(&run, what))
		wait_bell(deadline_ms, wanted);
	return run;
}

/* Asks for looks, as who wants to know what there is not; afterwards it has not come. */
static void
look(int times)
{
	int64_t deadline_ms = clock_now_ms() + DEADLINE_MS;

	for (; times > 0; times--) {
		uint64_t begun = registry_looks_begun(registry);

		bell_ring(ringer, BELL_NEW);
		while (registry_looks_finished(registry) <= begun)
			wait_bell(deadline_ms, "a look");
	}
}

static void
expect_none(const char *id)
{
	struct registry_run run;

	ck_assert_msg(registry_find(registry, id, &run) == -ENOENT, "%s", id);
}

static struct registry_run
wait_bus(const char *project, const char *task, bool is_gone)
{
	int64_t deadline_ms = clock_now_ms() + DEADLINE_MS;
	struct registry_run bus;
	char what[300];

	snprintf(what, sizeof(what), "the %s of bus %s/%s", is_gone ? "end" : "appearance", project,
	         task);
	while (registry_bus_find(buses, project, task, &bus) != 0 || bus.is_deleted != is_gone)
		wait_bell(deadline_ms, what);
	return bus;
}

static void
expect_no_bus(const char *project, const char *task)
{
	struct registry_run bus;

	ck_assert_msg(registry_bus_find(buses, project, task, &bus) == -ENOENT, "%s/%s", project, task);
}

/* --- tests -------------------------------------------------------------------------------------- */

START_TEST(runs_of_both_layouts_that_were_there_are_found)
{
	struct registry_run run;

	write_info("p1/t1/runs/r1", "project_id: other\\ntask_id: ../bad\\nstatus: running\\n");
	write_info("flat1", "status: completed\\nexit_code: 3\\nend_time: 2026-02-04T18:30:42Z\\n");
	shell("mkdir -p runs/p1/t2/runs/r2 runs/flat2; echo x > runs/p1/t2/runs/r2/agent-stdout.txt;"
	      "echo > runs/flat2/events.jsonl");
	start();
	run = wait_run("r1", has_status, "running");
	ck_assert_str_eq(run.path_project, "p1");
	ck_assert_str_eq(run.path_task, "t1");
	ck_assert_str_eq(run.project_id, "other");
	ck_assert_str_eq(run.task_id, "t1");
	ck_assert(!run.is_terminal);
	ck_assert_int_gt(run.first_seen_ms, 0);
	run = wait_run("flat1", has_status, "completed");
	ck_assert_str_eq(run.path_project, "");
	ck_assert(run.is_terminal);
	ck_assert_int_eq(run.exit_code, 3);
	ck_assert_int_eq(run.end_time_ms, 1770229842000);
	run = wait_run("r2", has_status, "unknown");
	ck_assert_str_eq(run.project_id, "p1");
	ck_assert_str_eq(run.task_id, "t2");
	wait_run("flat2", has_status, "unknown");
	stop();
}
END_TEST

static void
watch_runs_appear_and_change(void)
{
	start();
	look(1);
	shell("mkdir -p runs/p/t");
	look(1);
	shell("mkdir -p runs/p/t/runs/r1 runs/flat");
	look(1);
	expect_none("r1");
	expect_none("flat");
	shell("echo > runs/p/t/runs/r1/agent-stderr.txt; echo > runs/flat/agent-stdout.txt");
	wait_run("r1", has_status, "unknown");
	wait_run("flat", has_status, "unknown");
	write_info("p/t/runs/r1", "status: running\\n");
	write_info("flat", "status: queued\\n");
	wait_run("r1", has_status, "running");
	wait_run("flat", has_status, "queued");
	write_info("p/t/runs/r1", "status: failed\\nexit_code: 1\\n");
	write_info("flat", "exit_code: 0\\n");
	wait_run("r1", has_status, "failed");
	wait_run("flat", has_status, "completed");
	write_info("p2/t/runs/r2", "status: running\\n");
	wait_run("r2", has_status, "running");
	stop();
}

/* What discovery counts, after one more look. */
static struct counters_values
counted(void)
{
	struct counters_values values;

	look(1);
	counters_read(counters, &values);
	return values;
}

START_TEST(runs_are_counted_by_status_also_by_the_next_discovery)
{
	struct counters_values values;
	uint64_t looks = 0;

	shell("mkdir -p runs/p; echo > runs/p/PROJECT-MESSAGE-BUS.md");
	write_info("a", "status: running\\n");
	write_info("b", "status: running\\n");
	write_info("c", "status: baking\\n");
	write_info("d", "status: failed\\nexit_code: 1\\n");
	start();
	values = counted();
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_RUNNING], 2);
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_OTHER], 1);
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_FAILED], 1);
	ck_assert_uint_eq(values.buses, 1);
	ck_assert_uint_eq(values.runs_dir_missing, 0);
	ck_assert_int_lt(clock_wall_ms() - (int64_t)values.last_look_timestamp_ms, DEADLINE_MS);
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		looks += values.look_us.buckets[i];
	ck_assert_uint_ge(looks, 1);
	kill_discovery();
	write_info("b", "status: completed\\nexit_code: 0\\n");
	shell("rm -r runs/c");
	start();
	values = counted();
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_RUNNING], 1);
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_OTHER], 0);
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_COMPLETED], 1);
	ck_assert_uint_eq(values.buses, 1);
	shell("mv runs elsewhere");
	values = counted();
	ck_assert_uint_eq(values.runs_dir_missing, 1);
	ck_assert_uint_eq(values.runs[COUNTERS_STATUS_RUNNING], 1);
	shell("mv elsewhere runs");
	stop();
}
END_TEST

START_TEST(runs_that_appear_and_change_are_followed_by_polling)
{
	instance.settings.following.inotify = false;
	watch_runs_appear_and_change();
}
END_TEST

START_TEST(inotify_tells_of_runs_long_before_the_next_look)
{
	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	watch_runs_appear_and_change();
}
END_TEST

START_TEST(a_deleted_run_is_marked_and_one_that_comes_back_lives_again)
{
	uint32_t slot;

	instance.settings.following.inotify = _i != 0;
	write_info("p/t/runs/r1", "status: running\\n");
	write_info("flat", "status: running\\n");
	write_info("p3/t/runs/r3", "status: running\\n");
	start();
	slot = wait_run("r1", has_status, "running").slot;
	wait_run("flat", has_status, "running");
	wait_run("r3", has_status, "running");
	shell("rm -r runs/p/t/runs/r1; rm -r runs/flat; rm -r runs/p3");
	wait_run("r1", is_deleted, "");
	wait_run("flat", is_deleted, "");
	wait_run("r3", is_deleted, "");
	write_info("p/t/runs/r1", "status: completed\\n");
	write_info("flat", "status: running\\n");
	write_info("p3/t/runs/r3", "status: running\\n");
	ck_assert_uint_eq(wait_run("r1", has_status, "completed").slot, slot);
	wait_run("flat", has_status, "running");
	wait_run("r3", has_status, "running");
	shell("mv runs/p/t/runs moved; mv runs/flat moved-flat");
	wait_run("r1", is_deleted, "");
	wait_run("flat", is_deleted, "");
	shell("mv moved runs/p/t/runs");
	wait_run("r1", has_status, "completed");
	stop();
}
END_TEST

START_TEST(a_look_that_is_asked_for_finds_what_was_made_a_moment_ago)
{
	struct registry_run run;
	char dir[64];

	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	instance.settings.following.inotify = false;
	start();
	look(1);
	for (int i = 0; i < 20; i++) {
		snprintf(dir, sizeof(dir), "p%d/t/runs/r%d", i / 7, i);
		write_info(dir, "status: running\\n");
		look(1);
		ck_assert_int_eq(registry_find(registry, strrchr(dir, '/') + 1, &run), 0);
	}
	stop();
}
END_TEST

START_TEST(the_first_of_two_folders_with_one_id_keeps_it_until_it_goes)
{
	instance.settings.following.inotify = _i != 0;
	write_info("p/t1/runs/same", "status: running\\n");
	start();
	wait_run("same", lies_at, "p/t1/runs/same");
	write_info("p/t2/runs/same", "status: completed\\n");
	look(2);
	wait_run("same", lies_at, "p/t1/runs/same");
	/* Neither does another discovery change its mind. */
	stop();
	start();
	look(2);
	wait_run("same", lies_at, "p/t1/runs/same");
	shell("rm -r runs/p/t1/runs/same");
	wait_run("same", lies_at, "p/t2/runs/same");
	wait_run("same", has_status, "completed");
	stop();
}
END_TEST

START_TEST(a_killed_discovery_is_followed_by_one_that_knows_better)
{
	write_info("p/t/runs/r1", "status: running\\n");
	write_info("p/t/runs/r2", "status: running\\n");
	write_info("flat", "status: completed\\nexit_code: 0\\n");
	start();
	wait_run("r1", has_status, "running");
	wait_run("r2", has_status, "running");
	wait_run("flat", has_status, "completed");
	kill_discovery();
	shell("rm -r runs/p/t/runs/r1");
	write_info("p/t/runs/r2", "status: stopped\\n");
	start();
	wait_run("r1", is_deleted, "");
	wait_run("r2", has_status, "stopped");
	wait_run("flat", has_status, "completed");
	ck_assert_uint_eq(registry_count(registry), 3);
	stop();
}
END_TEST

/* They are taken over as they were, and looked at in the sweep. */
START_TEST(runs_that_went_on_while_there_was_no_discovery_are_noticed_in_seconds_where_there_are_few)
{
	int64_t began_ms;
	char name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		write_info(name, "status: completed\\n");
	}
	start();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		wait_run(name, has_status, "completed");
	}
	kill_discovery();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		write_info(name, "status: running\\n");
	}
	instance.settings.api.sse.discovery_interval_ms = 1000;
	began_ms = clock_now_ms();
	start();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		wait_run(name, has_status, "running");
	}
	ck_assert_int_lt(clock_now_ms() - began_ms, 20000);
	stop();
}
END_TEST

static uint64_t
ending_bytes(const char *id, enum registry_file file)
{
	struct registry_run run;

	ck_assert_int_eq(registry_find(registry, id, &run), 0);
	ck_assert(run.ending.is_known);
	ck_assert_int_eq(run.ending.files[file].identity != 0, run.ending.files[file].bytes > 0);
	return run.ending.files[file].bytes;
}

START_TEST(how_much_there_was_of_a_run_at_its_end_is_noted_and_kept_until_its_next)
{
	instance.settings.following.inotify = _i != 0;
	write_info("old", "status: completed\\n");
	write_info("r1", "status: running\\n");
	shell("printf 1234567 > runs/old/events.jsonl; printf 123 > runs/r1/agent-stdout.txt;"
	      "mkdir runs/r1/agent-stderr.txt");
	start();
	wait_run("old", has_status, "completed");
	ck_assert_uint_eq(ending_bytes("old", REGISTRY_EVENTS), 7);
	ck_assert_uint_eq(ending_bytes("old", REGISTRY_STDOUT), 0);
	ck_assert(!wait_run("r1", has_status, "running").ending.is_known);
	shell("printf 45 >> runs/r1/agent-stdout.txt");
	write_info("r1", "status: failed\\n");
	ck_assert_uint_ne(wait_run("r1", has_status, "failed").ending.files[REGISTRY_STDOUT].fingerprint, 0);
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 5);
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDERR), 0); /* which is no file */
	write_info("r1", "status: running\\n");
	shell("printf 6789 >> runs/r1/agent-stdout.txt");
	wait_run("r1", has_status, "running");
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 5);
	/* Another discovery keeps it as well. */
	kill_discovery();
	start();
	look(2);
	wait_run("r1", has_status, "running");
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 5);
	write_info("r1", "status: completed\\n");
	wait_run("r1", has_status, "completed");
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 9);
	stop();
}
END_TEST

START_TEST(a_run_that_was_over_is_looked_at_when_somebody_asks_for_it)
{
	char name[16];
	uint32_t slot;

	/* So many that the sweep would come to it in minutes. */
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "old-%d", i);
		write_info(name, "status: completed\n");
	}
	write_info("r1", "status: completed\n");
	instance.settings.api.sse.discovery_interval_ms = 60000;
	start();
	slot = wait_run("r1", has_status, "completed").slot;
	write_info("r1", "status: running\n");
	bell_ring(ringer, slot);
	wait_run("r1", has_status, "running");
	/* Slots are input. */
	bell_ring(ringer, 12345678);
	look(1);
	stop();
}
END_TEST

START_TEST(all_folders_that_may_be_runs_by_now_are_looked_at_when_somebody_asks)
{
	instance.settings.following.inotify = false;
	instance.settings.api.sse.discovery_interval_ms = 60000;
	shell("mkdir -p runs/p/t/runs && cd runs/p/t/runs && mkdir $(seq 1 600)");
	start();
	look(1);
	shell("cd runs/p/t/runs && touch $(seq -f %%g/agent-stdout.txt 1 600)");
	look(1);
	for (int i = 1; i <= 600; i++) {
		struct registry_run run;
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		ck_assert_msg(registry_find(registry, name, &run) == 0, "%s is not known", name);
	}
	stop();
}
END_TEST

/* Whoever comes for what is new did not see that it went on. */
START_TEST(a_run_that_goes_on_and_ends_unseen_keeps_what_was_noted)
{
	uint32_t slot;

	write_info("r1", "status: failed\\n");
	shell("printf 123 > runs/r1/agent-stdout.txt");
	start();
	slot = wait_run("r1", has_status, "failed").slot;
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 3);
	kill(child, SIGSTOP);
	write_info("r1", "status: running\\n");
	shell("printf 4567 >> runs/r1/agent-stdout.txt");
	write_info("r1", "status: completed\\n");
	kill(child, SIGCONT);
	/* One that is over is looked at when somebody asks for it; by itself, in its turn. */
	bell_ring(ringer, slot);
	ck_assert(wait_run("r1", has_status, "completed").ending.is_outdated);
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 3);
	write_info("r1", "status: running\n");
	bell_ring(ringer, slot);
	wait_run("r1", has_status, "running");
	write_info("r1", "status: completed\n");
	ck_assert(!wait_run("r1", has_status, "completed").ending.is_outdated);
	ck_assert_uint_eq(ending_bytes("r1", REGISTRY_STDOUT), 7);
	stop();
}
END_TEST

START_TEST(a_runs_directory_that_is_missing_is_waited_for)
{
	shell("rmdir runs");
	start();
	look(1);
	write_info("p/t/runs/r1", "status: running\\n");
	wait_run("r1", has_status, "running");
	shell("mv runs away");
	look(2);
	wait_run("r1", has_status, "running"); /* not mounted is not deleted */
	shell("mv away runs");
	write_info("p/t/runs/r1", "status: failed\\n");
	wait_run("r1", has_status, "failed");
	stop();
}
END_TEST

START_TEST(links_hidden_names_and_strange_files_are_no_runs)
{
	shell("mkdir -p outside/r9 runs/.hidden runs/p/t/runs/.r8 runs/p/t/runs/fifo runs/p/t/runs/ok;"
	      "echo > outside/r9/agent-stdout.txt; echo > runs/.hidden/agent-stdout.txt;"
	      "echo > runs/p/t/runs/.r8/agent-stdout.txt; echo > runs/p/t/runs/ok/events.jsonl;"
	      "mkfifo runs/p/t/runs/fifo/agent-stdout.txt runs/afifo;"
	      "ln -s ../outside/r9 runs/r9; ln -s ../../../../outside/r9 runs/p/t/runs/r9;"
	      "ln -s p runs/q; ln -s /etc runs/p/t2");
	start();
	wait_run("ok", has_status, "unknown");
	look(2);
	expect_none("r9");
	expect_none(".hidden");
	expect_none(".r8");
	expect_none("fifo");
	expect_none("afifo");
	ck_assert_uint_eq(registry_count(registry), 1);
	stop();
}
END_TEST

START_TEST(a_bad_run_info_hides_no_run_and_a_good_one_mends_it)
{
	write_info("bad", "status: [\\n");
	write_info("newer", "version: 2\\nstatus: running\\n");
	write_info("long", "status: \"a status far longer than any that a registry has room for\"\\n");
	shell("mkdir -p runs/fifo; echo > runs/fifo/agent-stdout.txt; mkfifo runs/fifo/run-info.yaml");
	start();
	wait_run("bad", has_status, "unknown");
	wait_run("fifo", has_status, "unknown");
	wait_run("newer", has_status, "unsupported_version");
	wait_run("long", has_status, "a status far longer than any th");
	write_info("bad", "status: running\\n");
	write_info("newer", "version: 1\\nstatus: running\\n");
	wait_run("bad", has_status, "running");
	wait_run("newer", has_status, "running");
	/* Broken later on: what was known stays. */
	write_info("bad", "{{{{\\n");
	look(2);
	wait_run("bad", has_status, "running");
	stop();
}
END_TEST

START_TEST(new_settings_are_taken_and_the_end_of_the_supervisor_is_the_end)
{
	struct buf message = BUF_INIT;
	struct settings settings;

	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	instance.settings.following.inotify = false;
	write_info("r1", "status: running\\n");
	shell("mkdir -p other/r2; echo > other/r2/out.log");
	start();
	wait_run("r1", has_status, "running");
	ck_assert_int_eq(settings_init(&settings), 0);
	free(settings.storage.runs_dir);
	ck_assert_int_gt(asprintf(&settings.storage.runs_dir, "%s/other", base), 0);
	free(settings.storage.files.stdout_log);
	settings.storage.files.stdout_log = strdup("out.log");
	settings.api.sse.discovery_interval_ms = 50;
	settings_message_append(&message, &settings);
	ck_assert_int_eq(send(supervisor_fd, "nonsense", 8, 0), 8);
	ck_assert_int_gt(send(supervisor_fd, message.data, message.length_bytes, 0), 0);
	wait_run("r2", has_status, "unknown");
	wait_run("r1", is_deleted, "");
	buf_fini(&message);
	settings_fini(&settings);
	stop();
}
END_TEST

START_TEST(a_full_registry_takes_new_runs_when_others_go)
{
	close(instance.registry_fd);
	registry_close(&registry);
	instance.registry_fd = registry_create(2);
	ck_assert_int_eq(registry_open(instance.registry_fd, &registry), 0);
	write_info("r1", "status: running\\n");
	write_info("p/t/runs/r2", "status: running\\n");
	start();
	wait_run("r1", has_status, "running");
	wait_run("r2", has_status, "running");
	write_info("p/t/runs/r3", "status: running\\n");
	look(2);
	expect_none("r3");
	shell("rm -r runs/r1");
	wait_run("r3", has_status, "running");
	expect_none("r1");
	stop();
}
END_TEST

START_TEST(a_folder_that_cannot_be_read_keeps_its_runs)
{
	if (geteuid() == 0)
		return; /* reads everything */
	write_info("p/t/runs/r1", "status: running\\n");
	start();
	wait_run("r1", has_status, "running");
	shell("chmod 0 runs/p/t");
	look(3);
	wait_run("r1", has_status, "running");
	shell("chmod 700 runs/p/t");
	write_info("p/t/runs/r1", "status: failed\\n");
	wait_run("r1", has_status, "failed");
	stop();
}
END_TEST

START_TEST(buses_of_projects_and_tasks_that_were_there_are_found)
{
	struct registry_run bus;

	write_info("p1/t1/runs/r1", "status: running\\n");
	shell("mkdir -p runs/p2/t2 'runs/a project'; touch runs/p1/t1/TASK-MESSAGE-BUS.md "
	      "runs/p2/t2/TASK-MESSAGE-BUS.md 'runs/a project/PROJECT-MESSAGE-BUS.md'");
	start();
	bus = wait_bus("p1", "t1", false);
	ck_assert_str_eq(bus.project_id, "p1");
	ck_assert_str_eq(bus.task_id, "t1");
	ck_assert_str_eq(bus.status, "");
	ck_assert_int_gt(bus.first_seen_ms, 0);
	wait_bus("p2", "t2", false);
	ck_assert_str_eq(wait_bus("a project", "", false).task_id, "");
	wait_run("r1", has_status, "running");
	look(1);
	ck_assert_uint_eq(registry_count(buses), 3);
	stop();
}
END_TEST

START_TEST(what_only_looks_like_a_bus_is_none)
{
	shell("mkdir -p runs/p/dir/TASK-MESSAGE-BUS.md runs/p/link runs/p/fifo runs/p/other outside;"
	      "mkdir -p runs/q/PROJECT-MESSAGE-BUS.md runs/.hid/t runs/p/fine;"
	      "touch outside/TASK-MESSAGE-BUS.md outside/PROJECT-MESSAGE-BUS.md"
	      " runs/PROJECT-MESSAGE-BUS.md runs/p/other/PROJECT-MESSAGE-BUS.md"
	      " runs/p/TASK-MESSAGE-BUS.md runs/.hid/PROJECT-MESSAGE-BUS.md"
	      " runs/p/fine/TASK-MESSAGE-BUS.md;"
	      "ln -s ../../../outside/TASK-MESSAGE-BUS.md runs/p/link/; ln -s ../../outside runs/p/t;"
	      "ln -s ../outside runs/l; mkfifo runs/p/fifo/TASK-MESSAGE-BUS.md");
	instance.settings.following.inotify = _i != 0;
	start();
	wait_bus("p", "fine", false);
	look(2);
	ck_assert_uint_eq(registry_count(buses), 1);
	/* One that is mended is found. */
	shell("rm runs/p/link/*; touch runs/p/link/TASK-MESSAGE-BUS.md");
	wait_bus("p", "link", false);
	stop();
}
END_TEST

static void
watch_buses_appear_and_disappear(void)
{
	uint32_t slot;

	write_info("p/t/runs/r1", "status: running\\n");
	shell("mkdir -p runs/q");
	start();
	wait_run("r1", has_status, "running");
	look(1);
	expect_no_bus("p", "");
	expect_no_bus("p", "t");
	shell("touch runs/p/t/TASK-MESSAGE-BUS.md");
	slot = wait_bus("p", "t", false).slot;
	shell("touch runs/p/PROJECT-MESSAGE-BUS.md runs/q/PROJECT-MESSAGE-BUS.md");
	wait_bus("p", "", false);
	wait_bus("q", "", false);
	/* Written elsewhere, and then moved to its place. */
	shell("mkdir -p runs/q/t1; touch runs/q/t1/.new; "
	      "mv runs/q/t1/.new runs/q/t1/TASK-MESSAGE-BUS.md");
	wait_bus("q", "t1", false);
	shell("mkdir -p runs/new/t1/runs; touch runs/new/t1/TASK-MESSAGE-BUS.md");
	wait_bus("new", "t1", false);
	/* Runs of a task whose bus was there before them. */
	write_info("q/t1/runs/r2", "status: running\\n");
	wait_run("r2", has_status, "running");
	shell("rm -r runs/p/t runs/new");
	wait_bus("p", "t", true);
	wait_bus("new", "t1", true);
	shell("mv runs/q elsewhere");
	wait_bus("q", "", true);
	wait_bus("q", "t1", true);
	wait_run("r2", is_deleted, "");
	shell("mkdir -p runs/p/t; touch runs/p/t/TASK-MESSAGE-BUS.md; mv elsewhere runs/q");
	ck_assert_uint_eq(wait_bus("p", "t", false).slot, slot);
	wait_bus("q", "", false);
	wait_bus("q", "t1", false);
	wait_run("r2", has_status, "running");
	stop();
}

START_TEST(buses_that_appear_and_disappear_are_followed_by_polling)
{
	instance.settings.following.inotify = false;
	watch_buses_appear_and_disappear();
}
END_TEST

START_TEST(inotify_tells_of_buses_long_before_the_next_look)
{
	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	watch_buses_appear_and_disappear();
}
END_TEST

START_TEST(a_bus_stays_while_its_file_is_rotated_away)
{
	uint32_t version;

	instance.settings.following.inotify = _i != 0;
	shell("mkdir -p runs/p/t; touch runs/p/PROJECT-MESSAGE-BUS.md runs/p/t/TASK-MESSAGE-BUS.md");
	start();
	version = wait_bus("p", "", false).version;
	wait_bus("p", "t", false);
	shell("cd runs/p; mv PROJECT-MESSAGE-BUS.md PROJECT-MESSAGE-BUS.md.20260204T183042Z.archived;"
	      "mv t/TASK-MESSAGE-BUS.md t/TASK-MESSAGE-BUS.md.20260204T183042Z.archived");
	look(2);
	ck_assert_uint_eq(wait_bus("p", "", false).version, version);
	wait_bus("p", "t", false);
	/* Another discovery that begins just then knows it as well. */
	kill_discovery();
	start();
	look(2);
	ck_assert_uint_eq(wait_bus("p", "", false).version, version);
	wait_bus("p", "t", false);
	shell("rm -r runs/p");
	wait_bus("p", "", true);
	wait_bus("p", "t", true);
	stop();
}
END_TEST

START_TEST(buses_that_went_while_there_was_no_discovery_are_marked)
{
	shell("mkdir -p runs/p/t runs/q/t; touch runs/p/PROJECT-MESSAGE-BUS.md "
	      "runs/p/t/TASK-MESSAGE-BUS.md runs/q/t/TASK-MESSAGE-BUS.md");
	start();
	wait_bus("p", "", false);
	wait_bus("p", "t", false);
	wait_bus("q", "t", false);
	kill_discovery();
	shell("rm -r runs/p/t runs/q; mkdir -p runs/r; touch runs/r/PROJECT-MESSAGE-BUS.md");
	start();
	wait_bus("p", "t", true);
	wait_bus("q", "t", true);
	wait_bus("r", "", false);
	wait_bus("p", "", false);
	stop();
}
END_TEST

/* The watch on the first is of no use for the second. */
START_TEST(a_task_in_the_place_of_another_has_its_bus_found)
{
	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	shell("mkdir -p runs/p/t runs/q/t");
	start();
	look(1);
	kill(child, SIGSTOP);
	shell("mv runs/p/t elsewhere; mkdir runs/p/t; mv runs/q elsewhere-q; mkdir -p runs/q/t");
	kill(child, SIGCONT);
	look(1);
	shell("touch elsewhere/TASK-MESSAGE-BUS.md runs/p/t/TASK-MESSAGE-BUS.md "
	      "runs/q/t/TASK-MESSAGE-BUS.md");
	wait_bus("p", "t", false);
	wait_bus("q", "t", false);
	stop();
}
END_TEST

START_TEST(a_project_that_becomes_a_run_as_well_keeps_its_bus)
{
	instance.settings.following.inotify = _i != 0;
	shell("mkdir -p runs/p; touch runs/p/PROJECT-MESSAGE-BUS.md");
	start();
	wait_bus("p", "", false);
	shell("touch runs/p/events.jsonl");
	wait_run("p", has_status, "unknown");
	look(2);
	wait_bus("p", "", false);
	shell("rm -r runs/p");
	wait_bus("p", "", true);
	wait_run("p", is_deleted, "");
	stop();
}
END_TEST

START_TEST(a_full_registry_takes_new_buses_when_others_go)
{
	close(instance.buses_fd);
	registry_close(&buses);
	instance.buses_fd = registry_create(1);
	ck_assert_int_eq(registry_open(instance.buses_fd, &buses), 0);
	instance.settings.following.inotify = _i != 0;
	shell("mkdir -p runs/p/t1 runs/p/t2; touch runs/p/t1/TASK-MESSAGE-BUS.md");
	start();
	wait_bus("p", "t1", false);
	shell("touch runs/p/t2/TASK-MESSAGE-BUS.md");
	look(2);
	expect_no_bus("p", "t2");
	shell("rm -r runs/p/t1");
	wait_bus("p", "t2", false);
	expect_no_bus("p", "t1");
	stop();
}
END_TEST

START_TEST(a_bus_whose_id_is_anothers_is_left_out)
{
	struct registry_writer *writer;
	struct registry_run first;

	registry_bus_init(&first, "p", "t");
	strcpy(first.path_task, "first");
	ck_assert_int_eq(registry_writer_open(instance.buses_fd, &writer), 0);
	ck_assert_int_eq(registry_writer_put(writer, &first, NULL, NULL), 0);
	registry_writer_close(&writer);
	shell("mkdir -p runs/p/first runs/p/t; touch runs/p/t/TASK-MESSAGE-BUS.md");
	instance.settings.following.inotify = _i != 0;
	start();
	look(2);
	expect_no_bus("p", "t");
	/* As long as that one is there. */
	shell("rm -r runs/p/first");
	look(2);
	wait_bus("p", "t", false);
	stop();
}
END_TEST

START_TEST(a_look_that_is_asked_for_finds_a_bus_that_was_made_a_moment_ago)
{
	struct registry_run bus;
	char task[16];

	instance.settings.api.sse.discovery_interval_ms = SLOW_MS;
	instance.settings.following.inotify = false;
	start();
	look(1);
	for (int i = 0; i < 20; i++) {
		snprintf(task, sizeof(task), "t%d", i / 2);
		shell("mkdir -p runs/p/%s; [ %d = 0 ] || touch runs/p/%s/TASK-MESSAGE-BUS.md", task,
		      i % 2, task);
		look(1);
		ck_assert_int_eq(registry_bus_find(buses, "p", task, &bus), i % 2 ? 0 : -ENOENT);
	}
	stop();
}
END_TEST

START_TEST(many_runs_come_and_go_and_none_is_missed)
{
	instance.settings.following.inotify = _i != 0;
	start();
	shell("for i in $(seq 300); do d=runs/p$((i %% 3))/t$((i %% 7))/runs/r$i; mkdir -p $d; "
	      "echo 'status: running' > $d/run-info.yaml; mkdir -p runs/f$i; "
	      "echo > runs/f$i/events.jsonl; done");
	for (int i = 1; i <= 300; i++) {
		char id[16];

		snprintf(id, sizeof(id), "r%d", i);
		wait_run(id, has_status, "running");
		snprintf(id, sizeof(id), "f%d", i);
		wait_run(id, has_status, "unknown");
	}
	shell("rm -r runs/p1 runs/f*");
	for (int i = 1; i <= 300; i++) {
		char id[16];

		snprintf(id, sizeof(id), "f%d", i);
		wait_run(id, is_deleted, "");
		snprintf(id, sizeof(id), "r%d", i);
		if (i % 3 == 1)
			wait_run(id, is_deleted, "");
		else
			wait_run(id, has_status, "running");
	}
	stop();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("discovery");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, runs_of_both_layouts_that_were_there_are_found);
	tcase_add_test(tests, runs_are_counted_by_status_also_by_the_next_discovery);
	tcase_add_test(tests, runs_that_appear_and_change_are_followed_by_polling);
	tcase_add_test(tests, inotify_tells_of_runs_long_before_the_next_look);
	tcase_add_loop_test(tests, a_deleted_run_is_marked_and_one_that_comes_back_lives_again, 0, 2);
	tcase_add_test(tests, a_look_that_is_asked_for_finds_what_was_made_a_moment_ago);
	tcase_add_loop_test(tests, the_first_of_two_folders_with_one_id_keeps_it_until_it_goes, 0, 2);
	tcase_add_test(tests, a_killed_discovery_is_followed_by_one_that_knows_better);
	tcase_add_test(tests,
	               runs_that_went_on_while_there_was_no_discovery_are_noticed_in_seconds_where_there_are_few);
	tcase_add_loop_test(tests,
	                    how_much_there_was_of_a_run_at_its_end_is_noted_and_kept_until_its_next, 0,
	                    2);
	tcase_add_test(tests, a_run_that_goes_on_and_ends_unseen_keeps_what_was_noted);
	tcase_add_test(tests, a_run_that_was_over_is_looked_at_when_somebody_asks_for_it);
	tcase_add_test(tests, all_folders_that_may_be_runs_by_now_are_looked_at_when_somebody_asks);
	tcase_add_test(tests, a_runs_directory_that_is_missing_is_waited_for);
	tcase_add_test(tests, links_hidden_names_and_strange_files_are_no_runs);
	tcase_add_test(tests, a_bad_run_info_hides_no_run_and_a_good_one_mends_it);
	tcase_add_test(tests, new_settings_are_taken_and_the_end_of_the_supervisor_is_the_end);
	tcase_add_test(tests, a_full_registry_takes_new_runs_when_others_go);
	tcase_add_test(tests, a_folder_that_cannot_be_read_keeps_its_runs);
	tcase_add_test(tests, buses_of_projects_and_tasks_that_were_there_are_found);
	tcase_add_loop_test(tests, what_only_looks_like_a_bus_is_none, 0, 2);
	tcase_add_test(tests, buses_that_appear_and_disappear_are_followed_by_polling);
	tcase_add_test(tests, inotify_tells_of_buses_long_before_the_next_look);
	tcase_add_loop_test(tests, a_bus_stays_while_its_file_is_rotated_away, 0, 2);
	tcase_add_test(tests, buses_that_went_while_there_was_no_discovery_are_marked);
	tcase_add_test(tests, a_task_in_the_place_of_another_has_its_bus_found);
	tcase_add_loop_test(tests, a_project_that_becomes_a_run_as_well_keeps_its_bus, 0, 2);
	tcase_add_loop_test(tests, a_full_registry_takes_new_buses_when_others_go, 0, 2);
	tcase_add_loop_test(tests, a_bus_whose_id_is_anothers_is_left_out, 0, 2);
	tcase_add_test(tests, a_look_that_is_asked_for_finds_a_bus_that_was_made_a_moment_ago);
	tcase_add_loop_test(tests, many_runs_come_and_go_and_none_is_missed, 0, 2);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
