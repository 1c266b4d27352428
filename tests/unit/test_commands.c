/*
 * runstreamctl as a whole, against a control socket that says what the test wants it to say:
 * what it prints, what it says when something is wrong, and how it exits.
 */
#include "admin/command.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "golden.h"
#include "shm/clients.h"
#include "shm/control.h"
#include "shm/counters.h"
#include "shm/instance.h"
#include "shm/occupancy.h"
#include "shm/registry_bus.h"
#include "shm/registry_writer.h"

static char root[64], config[128];
static char *out, *err;
static pid_t server;
static int fds[CONTROL_FD_WORKERS + 2 * CONTROL_WORKER_FDS];

/* --- the other side ------------------------------------------------------------------------- */

/* Answers the first request of the first connection, if it is the expected one, and ends. */
static void
serve(const char *expected, const char *answer, size_t length, size_t fd_count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET_NAME, root);
	ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		char request[256] = "";
		int peer = accept(listener, NULL, NULL);
		ssize_t n = recv(peer, request, sizeof(request) - 1, 0);

		if (n > 0 && strstr(request, expected) && answer)
			fd_send(peer, answer, length, fds, fd_count);
		_exit(0);
	}
	close(listener);
}

static void
serve_text(const char *expected, const char *answer)
{
	serve(expected, answer, strlen(answer), 0);
}

static void
put(struct registry_writer *writer, const char *run_id, const char *project, const char *status,
    bool is_terminal, bool is_deleted)
{
	struct registry_run run = { .exit_code = is_terminal ? 3 : -1, .is_terminal = is_terminal };
	uint32_t slot;

	snprintf(run.run_id, sizeof(run.run_id), "%s", run_id);
	snprintf(run.project_id, sizeof(run.project_id), "%s", project);
	snprintf(run.path_project, sizeof(run.path_project), "%s", project);
	snprintf(run.task_id, sizeof(run.task_id), "%s", *project ? "task" : "");
	snprintf(run.path_task, sizeof(run.path_task), "%s", *project ? "task" : "");
	snprintf(run.status, sizeof(run.status), "%s", status);
	run.start_time_ms = *project ? 1770229842569 : 0;
	run.end_time_ms = is_terminal ? 1770229902569 : 0;
	run.first_seen_ms = 1770229843000;
	ck_assert_int_eq(registry_writer_put(writer, &run, &slot, NULL), 0);
	if (is_deleted)
		ck_assert_int_eq(registry_writer_mark_deleted(writer, slot), 0);
}

struct made_up {
	const char *kind, *address, *run_id, *project_id, *task_id;
	struct clients_figures figures;
};

/* Returns the segment of a worker's clients. */
static int
make_clients(int worker)
{
	static const struct made_up of_first[] = {
		{ "log", "192.0.2.1", "r-1", "", "", { 1000, 10, 0, 0, 1770229900000 } },
		{ "log", "2001:db8::17", "r-2", "", "",
		  { 123456, 1200, 9876543, CLIENTS_UNKNOWN, 1770229900000 } },
		{ "left", "192.0.2.9", "r-1", "", "", { 0 } },
		{ "task", "192.0.2.2", "", "proj", "task",
		  { 5, 1, CLIENTS_UNKNOWN, CLIENTS_UNKNOWN, 1770229900000 } },
		{ "all", "", "", "", "", { 70, 7, 300, 3, 1770229900000 } },
		{ "file\x1b[2J", "192.0.2.3", "r-9", "", "", { 70, 7, 300, 12, 1770229900000 } },
	};
	static const struct made_up of_dead[] = { { "log", "192.0.2.4", "r-1", "", "", { 0 } } };
	const struct made_up *from = worker == 0 ? of_first : of_dead;
	size_t count = worker == 0 ? sizeof(of_first) / sizeof(of_first[0]) : 1;
	int fd = clients_create(100);
	struct clients *clients;

	ck_assert_int_eq(clients_open(fd, true, &clients), 0);
	for (size_t i = 0; i < count; i++) {
		struct clients_client client = { .since_ms = 1770229842569 + (int64_t)i * 1000 };
		uint64_t number;
		uint32_t slot;

		snprintf(client.kind, sizeof(client.kind), "%s", from[i].kind);
		snprintf(client.address, sizeof(client.address), "%s", from[i].address);
		snprintf(client.run_id, sizeof(client.run_id), "%s", from[i].run_id);
		snprintf(client.project_id, sizeof(client.project_id), "%s", from[i].project_id);
		snprintf(client.task_id, sizeof(client.task_id), "%s", from[i].task_id);
		ck_assert_int_eq(clients_add(clients, &client, &slot, &number), 0);
		clients_update(clients, slot, &from[i].figures);
		if (strcmp(from[i].kind, "left") == 0)
			clients_remove(clients, slot);
	}
	clients_close(&clients);
	return fd;
}

/* Two workers, of which the second is dead: what it counted must not show. */
static void
make_instance(void)
{
	struct registry_writer *writer;
	struct board *board;
	struct registry_run bus;
	uint32_t slot;

	fds[0] = registry_create(100);
	ck_assert_int_eq(registry_writer_open(fds[0], &writer), 0);
	put(writer, "r-1", "proj", "failed", true, false);
	put(writer, "r-2", "", "running", false, false);
	put(writer, "r-gone", "", "running", false, true);
	put(writer, "r-3", "proj", "running", false, false);
	registry_writer_close(&writer);

	fds[1] = registry_create(50);
	ck_assert_int_eq(registry_writer_open(fds[1], &writer), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const tasks[] = { "", "task", "gone" };

		registry_bus_init(&bus, "proj", tasks[i]);
		ck_assert_int_eq(registry_writer_put(writer, &bus, &slot, NULL), 0);
	}
	ck_assert_int_eq(registry_writer_mark_deleted(writer, slot), 0);
	registry_writer_close(&writer);

	fds[2] = board_create();
	ck_assert_int_eq(board_open(fds[2], true, &board), 0);
	board_set(board, BOARD_DISCOVERY, 11);
	board_set(board, 1, 12);
	board_set(board, 2, 13);
	board_set(board, 2, 0);
	board_close(&board);

	for (int i = CONTROL_FD_DISCOVERY_COUNTERS; i <= CONTROL_FD_SUPERVISOR_COUNTERS; i++) {
		struct counters *counters;

		fds[i] = counters_create();
		ck_assert_int_eq(counters_open(fds[i], true, &counters), 0);
		counters_observe(&counters_own(counters)->loop_turn_us, 90);
		counters_observe(&counters_own(counters)->look_us, i * 300);
		counters_own(counters)->runs[COUNTERS_STATUS_RUNNING] = 1;
		counters_close(&counters);
	}

	for (int i = 0; i < 2; i++) {
		int *own = &fds[CONTROL_FD_WORKERS + CONTROL_WORKER_FDS * i];
		struct occupancy *occupancy;
		struct counters *counters;

		own[CONTROL_FD_OCCUPANCY] = occupancy_create(100);
		ck_assert_int_eq(occupancy_open(own[CONTROL_FD_OCCUPANCY], true, &occupancy), 0);
		occupancy_change(occupancy, 1, 1);
		occupancy_change(occupancy, 1, 1);
		occupancy_close(&occupancy);
		own[CONTROL_FD_COUNTERS] = counters_create();
		ck_assert_int_eq(counters_open(own[CONTROL_FD_COUNTERS], true, &counters), 0);
		counters_own(counters)->requests = 40 + (uint64_t)i;
		counters_own(counters)->bytes_sent = 123456789;
		counters_own(counters)->clients[COUNTERS_STREAM_TASK] = 3;
		counters_own(counters)->slowest_client_bytes = 5;
		counters_close(&counters);
		own[CONTROL_FD_CLIENTS] = make_clients(i);
	}
}

/* For another server. */
static void
forget_socket(void)
{
	char path[sizeof(root) + sizeof("/" CONTROL_SOCKET_NAME)];

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, root);
	ck_assert_int_eq(unlink(path), 0);
	server = 0;
}

static void
serve_instance(void)
{
	char answer[1024];

	make_instance();
	snprintf(answer, sizeof(answer),
	         "{\"ok\":true,\"version\":\"0.1.0\",\"pid\":10,\"uptime_ms\":90061000,"
	         "\"runs_dir\":\"%s\",\"runtime_dir\":\"/run/runstream\","
	         "\"discovery\":{\"pid\":11,\"restarts\":0,\"replacements\":0,\"state\":\"running\"},"
	         "\"workers\":[{\"pid\":12,\"restarts\":0,\"replacements\":3,\"state\":\"running\"},"
	         "{\"pid\":0,\"restarts\":2,\"replacements\":0,\"state\":\"waiting\"}],\"sockets\":5}", root);
	serve("{\"command\":\"status\"}", answer, strlen(answer), sizeof(fds) / sizeof(fds[0]));
}

/* --- this side -------------------------------------------------------------------------------- */

static char *
taken(int fd)
{
	char *text;

	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fd_read_all(fd, 1 << 20, &text, NULL), 0);
	return text;
}

/* Runs it with our configuration; out and err are what it printed. Arguments end with NULL. */
static int
ctl(const char *first, ...)
{
	char *argv[16] = { (char[]){ "runstreamctl" }, (char[]){ "-c" }, config };
	int argc = 3, saved[2] = { dup(1), dup(2) }, files[2], status;
	va_list args;

	va_start(args, first);
	for (const char *word = first; word; word = va_arg(args, const char *))
		argv[argc++] = strdup(word);
	va_end(args);
	for (int i = 0; i < 2; i++) {
		FILE *file = tmpfile();

		files[i] = dup(fileno(file));
		fclose(file);
		fflush(i ? stderr : stdout);
		dup2(files[i], 1 + i);
	}
	status = command_main(argc, argv);
	fflush(NULL);
	free(out);
	free(err);
	out = taken(files[0]);
	err = taken(files[1]);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], 1 + i);
		close(saved[i]);
		close(files[i]);
	}
	/* getopt_long(3) moves words around, but argv holds all of them: the first three are ours,
	 * wherever they are now. */
	for (int i = 0; i < argc; i++)
		if (argv[i] != config && strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "runstreamctl") != 0)
			free(argv[i]);
	return status;
}

static void
set_up(void)
{
	FILE *file;

	/* What make and the user say to tests and tools is no setting. */
	for (char **variable = environ; *variable;)
		if (strncmp(*variable, "RUNSTREAM_", 10) == 0) {
			char name[128];

			snprintf(name, sizeof(name), "%.*s", (int)strcspn(*variable, "="), *variable);
			unsetenv(name);
			variable = environ;
		} else {
			variable++;
		}
	snprintf(root, sizeof(root), "/tmp/test_commands.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(config, sizeof(config), "%s/config.yaml", root);
	file = fopen(config, "w");
	fprintf(file, "server:\n  runtime_dir: %s\n  workers: 3\nstorage:\n  runs_dir: %s\n", root, root);
	ck_assert_int_eq(fclose(file), 0);
	server = 0;
}

static void
tear_down(void)
{
	char command[sizeof(root) + 16];

	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	free(out);
	free(err);
	out = err = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void
ck_assert_contains(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text);
}

/* The directory's name changes from test to test: it becomes "DIR", of whatever width. */
static void
golden_check_output(const char *name)
{
	char *at;

	while ((at = strstr(out, root))) {
		memcpy(at, "DIR", 3);
		memmove(at + 3, at + strlen(root), strlen(at + strlen(root)) + 1);
	}
	golden_check(name, out, strlen(out));
}

START_TEST(status_in_text)
{
	serve_instance();
	ck_assert_int_eq(ctl("status", NULL), 0);
	ck_assert_str_eq(err, "");
	golden_check_output("status.txt");
}
END_TEST

START_TEST(status_in_json)
{
	serve_instance();
	ck_assert_int_eq(ctl("--json", "status", NULL), 0);
	golden_check_output("status.json");
}
END_TEST

START_TEST(runs_in_text_without_deleted_ones)
{
	serve_instance();
	ck_assert_int_eq(ctl("runs", NULL), 0);
	golden_check_output("runs.txt");
}
END_TEST

START_TEST(runs_in_json_wherever_the_option_stands)
{
	serve_instance();
	ck_assert_int_eq(ctl("runs", "--json", NULL), 0);
	golden_check_output("runs.json");
}
END_TEST

START_TEST(clients_in_text_the_slowest_first_without_those_of_dead_workers)
{
	serve_instance();
	ck_assert_int_eq(ctl("clients", NULL), 0);
	ck_assert_str_eq(err, "");
	golden_check_output("clients.txt");
}
END_TEST

START_TEST(clients_in_json)
{
	serve_instance();
	ck_assert_int_eq(ctl("clients", "--json", NULL), 0);
	golden_check_output("clients.json");
}
END_TEST

START_TEST(clients_of_one_run)
{
	serve_instance();
	ck_assert_int_eq(ctl("clients", "r-2", NULL), 0);
	ck_assert_contains(out, "1-2 ");
	ck_assert_ptr_null(strstr(out, "1-1 "));
	waitpid(server, NULL, 0);
	forget_socket();
	/* One that nobody watches, and one that nobody knows but its client. */
	serve_instance();
	ck_assert_int_eq(ctl("clients", "r-3", NULL), 0);
	ck_assert_str_eq(out, "clients: none\n");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_instance();
	ck_assert_int_eq(ctl("clients", "r-9", NULL), 0);
	ck_assert_contains(out, "1-6 ");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_instance();
	ck_assert_int_eq(ctl("clients", "nobody", NULL), 1);
	ck_assert_contains(err, "there is no run nobody");
}
END_TEST

START_TEST(a_kick_names_its_client_and_says_what_was_wrong)
{
	serve_text("{\"client\":\"2-17\",\"command\":\"kick\"}", "{\"ok\":true}");
	ck_assert_int_eq(ctl("kick", "2-17", NULL), 0);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_text("kick", "{\"ok\":false,\"error\":\"there is no such client: \\\"2-17\\\"\"}");
	ck_assert_int_eq(ctl("kick", "2-17", NULL), 1);
	ck_assert_str_eq(err, "runstreamctl: there is no such client: \"2-17\"\n");
	waitpid(server, NULL, 0);
	forget_socket();
	ck_assert_int_eq(ctl("kick", "2-17", NULL), 1);
	ck_assert_contains(err, "no instance at ");
	ck_assert_int_eq(ctl("kick", NULL), 2);
	ck_assert_int_eq(ctl("kick", "17", NULL), 2);
	ck_assert_contains(err, "\"17\" is no client");
}
END_TEST

START_TEST(a_broadcast_to_all_is_for_the_workers_to_pass_on)
{
	serve_text("{\"type\":\"deploy\",\"data\":\"{\\\"n\\\": 1.50}\",\"command\":\"broadcast\"}",
	           "{\"ok\":true,\"workers\":2,\"silent\":0}");
	ck_assert_int_eq(ctl("broadcast", "--all", "--type", "deploy", "--data", "{\"n\": 1.50}", NULL),
	                 0);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_text("{\"type\":\"t\",\"command\":\"broadcast\"}",
	           "{\"ok\":true,\"workers\":1,\"silent\":2}");
	ck_assert_int_eq(ctl("broadcast", "--all", "--type", "t", "--json", NULL), 1);
	ck_assert_str_eq(out, "{\n  \"workers\": 1,\n  \"silent\": 2\n}\n");
	ck_assert_contains(err, "2 of 3 workers do not listen");
}
END_TEST

START_TEST(a_broadcast_to_a_run_is_recorded)
{
	char command[512], path[128], *text;
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p %s/proj/task/runs/r-3 %s/proj/task/runs/r-1 && "
	         "echo 'status: running' > %s/proj/task/runs/r-3/run-info.yaml && "
	         "echo 'status: failed' > %s/proj/task/runs/r-1/run-info.yaml", root, root, root, root);
	ck_assert_int_eq(system(command), 0);
	serve_instance();
	ck_assert_int_eq(ctl("broadcast", "--run", "r-3", "--type", "deploy", "--data",
	                     "{\"unit\":\"auth\",\n\"n\":1.50}", NULL), 0);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
	snprintf(path, sizeof(path), "%s/proj/task/runs/r-3/events.jsonl", root);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fd_read_all(fileno(file), 4096, &text, NULL), 0);
	fclose(file);
	ck_assert_contains(text, "\"type\":\"deploy\"");
	ck_assert_contains(text, "\"unit\":\"auth\"");
	ck_assert_contains(text, "\"n\":1.50");
	ck_assert_contains(text, "\"time\":\"20");
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	waitpid(server, NULL, 0);
	forget_socket();

	serve_instance();
	ck_assert_int_eq(ctl("broadcast", "--run", "r-1", "--type", "t", NULL), 1);
	ck_assert_contains(err, "run r-1 has ended");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_instance();
	ck_assert_int_eq(ctl("broadcast", "--run", "nobody", "--type", "t", NULL), 1);
	ck_assert_contains(err, "there is no run nobody");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_instance();
	ck_assert_int_eq(ctl("broadcast", "--run", "r-3", "--type", "t", "--data", "{\"time\":5}", NULL),
	                 2);
	ck_assert_contains(err, "broadcast: time must");
}
END_TEST

START_TEST(a_broadcast_that_cannot_be_is_misuse)
{
	static const struct {
		const char *words[6], *sentence;
	} cases[] = {
		{ { "--type", "t" }, "to whom?" },
		{ { "--all", "--run", "r", "--type", "t" }, "to whom?" },
		{ { "--all" }, "--type is missing" },
		{ { "--all", "--type", "" }, "type must not be empty" },
		{ { "--all", "--type", "a\nb" }, "control characters" },
		{ { "--all", "--type", "t", "--data", "{" }, "valid JSON" },
		{ { "--run", "r", "--type", "t", "--data", "" }, "valid JSON" },
		{ { "--all", "--tpye", "t" }, "did you mean \"--type\"?" },
		{ { "--all", "--type", "t", "word" }, "one argument too many" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const *w = cases[i].words;

		ck_assert_int_eq(ctl("broadcast", w[0], w[1], w[2], w[3], w[4], w[5], NULL), 2);
		ck_assert_contains(err, cases[i].sentence);
	}
	ck_assert_int_eq(ctl("broadcast", "--all", "--type", "t", NULL), 1);
	ck_assert_contains(err, "no instance at ");
}
END_TEST

START_TEST(one_run_is_shown_with_what_clients_never_see)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p %s/proj/task/runs/r-1 && printf "
	         "'run_id: r-1\\ncwd: /secret/place\\ncommandline: \"make \\\\e[2J\"\\n' "
	         "> %s/proj/task/runs/r-1/run-info.yaml", root, root);
	ck_assert_int_eq(system(command), 0);
	serve_instance();
	ck_assert_int_eq(ctl("runs", "r-1", NULL), 0);
	golden_check_output("run.txt");
	waitpid(server, NULL, 0);
	forget_socket();
	serve_instance();
	ck_assert_int_eq(ctl("runs", "r-1", "--json", NULL), 0);
	golden_check_output("run.json");
}
END_TEST

START_TEST(one_run_without_a_readable_run_info_is_shown_all_the_same)
{
	serve_instance();
	ck_assert_int_eq(ctl("runs", "r-2", NULL), 0);
	ck_assert_contains(out, "clients:            2\n");
	ck_assert_contains(out, "run info error:     No such file or directory\n");
}
END_TEST

START_TEST(a_run_that_is_not_there_fails)
{
	serve_instance();
	ck_assert_int_eq(ctl("runs", "nobody", NULL), 1);
	ck_assert_str_eq(out, "");
	ck_assert_contains(err, "there is no run nobody");
}
END_TEST

START_TEST(descriptors_that_are_something_else_are_refused)
{
	serve_instance();
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	ck_assert_int_eq(unlinkat(AT_FDCWD, strcat(strcpy(config, root), "/" CONTROL_SOCKET_NAME), 0), 0);
	snprintf(config, sizeof(config), "%s/config.yaml", root);
	fds[0] = fds[2];
	serve("status", "{\"ok\":true}", 11, sizeof(fds) / sizeof(fds[0]));
	ck_assert_int_eq(ctl("status", NULL), 1);
	ck_assert_contains(err, "another version");
}
END_TEST

START_TEST(answers_that_are_none_are_refused)
{
	static const char *const bad[] = { "{", "[]", "{}", "{\"ok\":1}", "\xff", "{\"ok\":true} x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[128];

		serve_text("reload", bad[i]);
		/* What follows a whole object is not looked at: the last one is an answer. */
		ck_assert_int_eq(ctl("reload", NULL), i + 1 < sizeof(bad) / sizeof(bad[0]) ? 1 : 0);
		waitpid(server, NULL, 0);
		snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, root);
		ck_assert_int_eq(unlink(path), 0);
	}
	server = 0;
}
END_TEST

START_TEST(a_refused_reload_says_why)
{
	serve_text("reload", "{\"ok\":false,\"error\":\"config.yaml:3:5: unknown key\"}");
	ck_assert_int_eq(ctl("reload", NULL), 1);
	ck_assert_str_eq(err, "runstreamctl: config.yaml:3:5: unknown key\n");
}
END_TEST

START_TEST(a_reload_that_worked_is_silent)
{
	serve_text("reload", "{\"ok\":true}");
	ck_assert_int_eq(ctl("reload", NULL), 0);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(stop_waits_for_the_end)
{
	serve_text("stop", "{\"ok\":true}");
	ck_assert_int_eq(ctl("stop", NULL), 0);
	/* The connection has ended, so that the process is about to. */
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	server = 0;
}
END_TEST

START_TEST(an_instance_that_ends_before_it_answers)
{
	serve("status", NULL, 0, 0);
	ck_assert_int_eq(ctl("status", NULL), 1);
	ck_assert_contains(err, "ended before it answered");
}
END_TEST

START_TEST(no_instance_is_said_with_its_place)
{
	ck_assert_int_eq(ctl("status", NULL), 1);
	ck_assert_contains(err, "no instance at ");
	ck_assert_contains(err, root);
	ck_assert_contains(err, "is runstreamd running?");
	/* A socket that was left behind. */
	serve_text("x", "{}");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	ck_assert_int_eq(ctl("stop", NULL), 1);
	ck_assert_contains(err, "has ended");
	server = 0;
}
END_TEST

START_TEST(mistyped_words_get_the_nearest_named)
{
	ck_assert_int_eq(ctl("statsu", NULL), 2);
	ck_assert_contains(err, "did you mean \"status\"?");
	ck_assert_int_eq(ctl("frobnicate", NULL), 2);
	ck_assert_contains(err, "--help lists them");
	ck_assert_int_eq(ctl("--jsno", "status", NULL), 2);
	ck_assert_contains(err, "did you mean \"--json\"?");
	ck_assert_int_eq(ctl("exec", "--projetc=x", NULL), 2);
	ck_assert_contains(err, "did you mean \"--project\"?");
	ck_assert_int_eq(ctl("status", "-x", NULL), 2);
	ck_assert_contains(err, "there is no option \"-x\"; see \"runstreamctl status --help\"");
	ck_assert_int_eq(ctl("nginx-config", "locatoins", NULL), 2);
	ck_assert_contains(err, "did you mean \"locations\"?");
}
END_TEST

START_TEST(misuse_is_2)
{
	ck_assert_int_eq(ctl(NULL), 2);
	ck_assert_contains(err, "Usage: runstreamctl");
	ck_assert_int_eq(ctl("runs", "a", "b", NULL), 2);
	ck_assert_contains(err, "\"b\" is one argument too many");
	ck_assert_int_eq(ctl("--runtime-dir", NULL), 2);
	ck_assert_contains(err, "\"--runtime-dir\" needs an argument");
	ck_assert_int_eq(ctl("--json=1", "status", NULL), 2);
	ck_assert_contains(err, "takes no argument");
	ck_assert_int_eq(ctl("exec", "--", NULL), 2);
	ck_assert_int_eq(ctl("exec", "--project", "p", "--", "true", NULL), 2);
	ck_assert_contains(err, "go together");
	ck_assert_int_eq(ctl("exec", "--run-id", "../up", "--", "true", NULL), 2);
	ck_assert_int_eq(ctl("nginx-config", "--mode", "most", NULL), 2);
	ck_assert_int_eq(ctl("nginx-config", "--sockets", "0", NULL), 2);
	ck_assert_int_eq(ctl("nginx-config", "--sockets", "65", NULL), 2);
}
END_TEST

static void
check_help_fits_a_terminal(void)
{
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "%s", line);
}

START_TEST(help_names_every_command_and_every_option_within_80_columns)
{
	ck_assert_int_eq(ctl("--help", NULL), 0);
	ck_assert_str_eq(err, "");
	check_help_fits_a_terminal();
	for (size_t i = 0; i < command_count(); i++)
		ck_assert_contains(out, commands[i].name);
	for (size_t i = 0; i < command_count(); i++) {
		ck_assert_int_eq(ctl(commands[i].name, "--help", NULL), 0);
		check_help_fits_a_terminal();
		ck_assert_contains(out, commands[i].help);
		ck_assert_contains(out, "--runtime-dir");
		for (const struct command_option *o = commands[i].options; o && o->name; o++)
			ck_assert_contains(out, o->name);
	}
	ck_assert_int_eq(ctl("--version", NULL), 0);
	ck_assert_contains(out, "runstreamctl (runstream) ");
}
END_TEST

START_TEST(nginx_config_asks_the_instance_then_the_configuration)
{
	ck_assert_int_eq(ctl("nginx-config", "upstream", NULL), 0);
	ck_assert_contains(out, "worker-6.sock"); /* twice the workers */
	ck_assert_ptr_null(strstr(out, "worker-7.sock"));
	ck_assert_int_eq(ctl("nginx-config", "upstream", "--sockets", "1", NULL), 0);
	ck_assert_ptr_null(strstr(out, "worker-2.sock"));
	serve_instance();
	ck_assert_int_eq(ctl("nginx-config", NULL), 0);
	ck_assert_contains(out, "worker-5.sock");
	ck_assert_ptr_null(strstr(out, "worker-6.sock"));
	ck_assert_contains(out, "location ^~ \"/api/\"");
}
END_TEST

START_TEST(check_config_tells_good_from_bad)
{
	FILE *file;

	ck_assert_int_eq(ctl("check-config", "--json", NULL), 0);
	golden_check_output("check-config.json");
	ck_assert_int_eq(ctl("check-config", NULL), 0);
	golden_check_output("check-config.txt");
	ck_assert_contains(out, "config.yaml");
	file = fopen(config, "w");
	fprintf(file, "api:\n  sse:\n    poll_intervall_ms: 1\n");
	fclose(file);
	ck_assert_int_eq(ctl("check-config", NULL), 1);
	ck_assert_contains(err, "config.yaml:3:5:");
	ck_assert_contains(err, "poll_interval_ms");
}
END_TEST

START_TEST(exec_finds_the_runs_directory_of_the_instance_and_ids_that_are_taken)
{
	serve_instance();
	ck_assert_int_eq(ctl("exec", "--run-id", "r-3", "--", "true", NULL), 1);
	ck_assert_contains(err, "there is a run r-3 already");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tc = tcase_create("commands");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, status_in_text);
	tcase_add_test(tc, status_in_json);
	tcase_add_test(tc, runs_in_text_without_deleted_ones);
	tcase_add_test(tc, runs_in_json_wherever_the_option_stands);
	tcase_add_test(tc, clients_in_text_the_slowest_first_without_those_of_dead_workers);
	tcase_add_test(tc, clients_in_json);
	tcase_add_test(tc, clients_of_one_run);
	tcase_add_test(tc, a_kick_names_its_client_and_says_what_was_wrong);
	tcase_add_test(tc, a_broadcast_to_all_is_for_the_workers_to_pass_on);
	tcase_add_test(tc, a_broadcast_to_a_run_is_recorded);
	tcase_add_test(tc, a_broadcast_that_cannot_be_is_misuse);
	tcase_add_test(tc, one_run_is_shown_with_what_clients_never_see);
	tcase_add_test(tc, one_run_without_a_readable_run_info_is_shown_all_the_same);
	tcase_add_test(tc, a_run_that_is_not_there_fails);
	tcase_add_test(tc, descriptors_that_are_something_else_are_refused);
	tcase_add_test(tc, answers_that_are_none_are_refused);
	tcase_add_test(tc, a_refused_reload_says_why);
	tcase_add_test(tc, a_reload_that_worked_is_silent);
	tcase_add_test(tc, stop_waits_for_the_end);
	tcase_add_test(tc, an_instance_that_ends_before_it_answers);
	tcase_add_test(tc, no_instance_is_said_with_its_place);
	tcase_add_test(tc, mistyped_words_get_the_nearest_named);
	tcase_add_test(tc, misuse_is_2);
	tcase_add_test(tc, help_names_every_command_and_every_option_within_80_columns);
	tcase_add_test(tc, nginx_config_asks_the_instance_then_the_configuration);
	tcase_add_test(tc, check_config_tells_good_from_bad);
	tcase_add_test(tc, exec_finds_the_runs_directory_of_the_instance_and_ids_that_are_taken);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
