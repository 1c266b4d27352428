/*
 * What a worker and discovery may still do: a child of the test enters the very sandbox of the role,
 * tries, and tells by its exit status. What the kernel lacks (Landlock) is kept from it once more
 * where it has it, so that both ways are tested.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/run_dir.h"
#include "supervisor/sandbox.h"

/* The test's folder holds "inside/runs", where the runs are, and "outside". */
static char folder[64], runs_dir[96];
static int runs_dir_fd, state_dir_fd;

static void
put(const char *name, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static void
set_up(void)
{
	char command[256];

	strcpy(folder, "/tmp/test_sandbox.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(runs_dir, sizeof(runs_dir), "%s/inside/runs", folder);
	snprintf(command, sizeof(command), "mkdir -p %s/run %s/outside %s/state", runs_dir, folder,
	         folder);
	ck_assert_int_eq(system(command), 0);
	put("inside/runs/run/log", "a line\n");
	put("outside/secret", "a secret\n");
	runs_dir_fd = open(runs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(runs_dir_fd, 0);
	snprintf(command, sizeof(command), "%s/state", folder);
	state_dir_fd = open(command, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(state_dir_fd, 0);
}

static void
tear_down(void)
{
	char command[128];

	fd_close(&runs_dir_fd);
	fd_close(&state_dir_fd);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* --- what is tried: each returns whether it was possible --------------------------------------------- */

static bool
opens(const char *name, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags, 0600);
	return fd >= 0 && close(fd) == 0;
}

static bool
reads_a_run(void)
{
	struct stat st;
	char *text;
	int run = -1, log = -1;

	return opens("inside/runs/run/log", O_RDONLY) && opens("inside/runs", O_RDONLY | O_DIRECTORY) &&
	       run_dir_open(runs_dir_fd, "run", &run) == 0 &&
	       run_dir_open_file(run, "log", &st, &log) == 0 &&
	       fd_read_all(log, 100, &text, NULL) == 0 && strcmp(text, "a line\n") == 0;
}

static bool
reads_outside(void)
{
	return opens("outside/secret", O_RDONLY) || opens("outside", O_RDONLY | O_DIRECTORY) ||
	       open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
writes_a_run(void)
{
	return opens("inside/runs/run/log", O_WRONLY | O_APPEND);
}

static bool
makes_a_run(void)
{
	return mkdirat(runs_dir_fd, "new", 0700) == 0 &&
	       opens("inside/runs/new/log", O_WRONLY | O_CREAT | O_EXCL);
}

static bool
keeps_state(void)
{
	int fd = openat(state_dir_fd, "kept", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);

	return fd >= 0 && write(fd, "state", 5) == 5 && close(fd) == 0 &&
	       openat(state_dir_fd, "kept", O_RDONLY | O_NOFOLLOW) >= 0 &&
	       openat(state_dir_fd, ".", O_RDONLY | O_DIRECTORY) >= 0;
}

static bool
takes_state_away(void)
{
	int fd = openat(state_dir_fd, "kept", O_RDWR | O_NOFOLLOW);

	return fd >= 0 && ftruncate(fd, 2) == 0 && futimens(fd, NULL) == 0 && close(fd) == 0 &&
	       unlinkat(state_dir_fd, "kept", 0) == 0;
}

static bool
changes_a_run(void)
{
	return writes_a_run() || opens("inside/runs/run/log", O_RDWR) ||
	       opens("inside/runs/run/new", O_RDONLY | O_CREAT) ||
	       opens("inside/runs/run/log", O_RDONLY | O_TRUNC) ||
	       opens("inside/runs/run", O_TMPFILE | O_WRONLY) ||
	       mkdirat(runs_dir_fd, "new", 0700) == 0 ||
	       renameat(runs_dir_fd, "run", runs_dir_fd, "other") == 0 ||
	       unlinkat(runs_dir_fd, "run/log", 0) == 0 ||
	       symlinkat("/etc/passwd", runs_dir_fd, "link") == 0;
}

/* As it is done where runs are recorded: with openat2(2). */
static bool
writes_beneath(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_WRONLY };
	long fd = syscall(SYS_openat2, runs_dir_fd, "run/log", &how, sizeof(how));

	return fd >= 0;
}

static bool
writes_outside(void)
{
	return opens("outside/secret", O_WRONLY) || opens("outside/new", O_WRONLY | O_CREAT) ||
	       open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0 || open("/dev/null", O_WRONLY) >= 0;
}

static bool
starts_a_program(void)
{
	char *const arguments[] = { (char *)(uintptr_t)"true", NULL };
	pid_t pid;

	if (execve("/bin/true", arguments, NULL) == 0)
		return true; /* not reached: the exit status of true(1) is then the child's */
	pid = fork();
	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool
connects(void)
{
	struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket" };
	int pair[2];

	/* The socket of somebody else's making would do as well: descriptor 0. */
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
	       socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ||
	       connect(0, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 || errno != ENOSYS ||
	       connect(0, (struct sockaddr *)&local, sizeof(local)) == 0 || errno != ENOSYS ||
	       bind(0, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 || errno != ENOSYS;
}

static bool
reaches_other_processes(void)
{
	return kill(getppid(), 0) == 0 || ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ||
	       syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) >= 0 ||
	       syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 ||
	       syscall(SYS_pidfd_open, getppid(), 0) >= 0;
}

static bool
changes_the_machine(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL) == 0 || chroot("/") == 0 || unshare(0) == 0 ||
	       setuid(0) == 0 || chmod("/tmp", 01777) == 0 || setpriority(0, 0, 0) == 0 ||
	       syscall(SYS_bpf, 0, NULL, 0) >= 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0 ||
	       prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool
makes_memory_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ||
	       mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static void *
set_flag(void *arg)
{
	*(bool *)arg = true;
	return NULL;
}

static bool
makes_threads(void)
{
	bool ran = false;
	pthread_t thread;

	return pthread_create(&thread, NULL, set_flag, &ran) == 0 &&
	       pthread_join(thread, NULL) == 0 && ran;
}

/* A helper thread has all signals blocked but this one. */
static void *
call_what_is_refused(void *arg)
{
	*(bool *)arg = syscall(SYS_personality, 0xffffffff) < 0 && errno == ENOSYS;
	return NULL;
}

static bool
survives_a_refusal_in_a_thread(void)
{
	bool refused = false;
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return pthread_create(&thread, NULL, call_what_is_refused, &refused) == 0 &&
	       pthread_join(thread, NULL) == 0 && refused;
}

/* --- in the sandbox ------------------------------------------------------------------------------------ */



/* So that the kernel has no Landlock, as far as the child can tell. */
static void
lose_landlock(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) ||
	    seccomp_load(filter))
		_exit(99);
	seccomp_release(filter);
}

typedef bool try_fn(void);

/* Whether it was possible for a role, or without a sandbox (NULL), to do this. */
static bool
can(const struct sandbox *sandbox, bool with_landlock, try_fn *try)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct sandbox_state state;

		/* Refusals are logged; and if one is no process's end, nothing else may be. */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(98);
		if (!with_landlock)
			lose_landlock();
		if (!sandbox)
			_exit(try() ? 10 : 11);
		if (sandbox_enter(sandbox, &state) || !state.has_filter ||
		    (!with_landlock && state.has_landlock))
			_exit(97);
		_exit(try() ? 10 : 11);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (status == 0)
		return true; /* it has become another program */
	ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 10 || WEXITSTATUS(status) == 11),
	              "status %x", (unsigned)status);
	return WEXITSTATUS(status) == 10;
}

static bool
kernel_has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static bool
starts_children_in_sandboxes(void)
{
	struct sandbox sandbox = { .role = SANDBOX_WORKER, .runs_dir = runs_dir,
		                   .runs_dir_fd = runs_dir_fd, .state_dir_fd = state_dir_fd };
	struct sandbox_state state;
	int status, pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return false;
	child = fork();
	if (child == 0)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		                      sandbox_enter(&sandbox, &state) == 0 && state.has_filter &&
		                      reads_a_run() && !changes_a_run() && !reaches_other_processes()
		              ? 12
		              : 13);
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 12;
}

static bool
becomes_a_program(void)
{
	char *const arguments[] = { (char *)(uintptr_t)"true", NULL };

	return execve("/bin/true", arguments, NULL) == 0 ||
	       syscall(SYS_execveat, -1, "/bin/true", arguments, NULL, 0) == 0;
}

static bool
reaches_out(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
	       connect(0, NULL, 0) == 0 || errno != ENOSYS || bind(0, NULL, 0) == 0 || errno != ENOSYS ||
	       ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ||
	       syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) >= 0;
}

static bool
becomes_another_user(void)
{
	return setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0;
}

static bool
changes_what_is_nobodys(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL) == 0 || chroot("/") == 0 || unshare(0) == 0 ||
	       chmod("/tmp", 01777) == 0 || setpriority(0, 0, 0) == 0 ||
	       syscall(SYS_bpf, 0, NULL, 0) >= 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

/* The roles, and for each whether it records. */
static struct sandbox
role(int i)
{
	return (struct sandbox){ .role = i == 0 ? SANDBOX_DISCOVERY : SANDBOX_WORKER,
		                 .records = i == 2, .runs_dir = runs_dir,
		                 .runs_dir_fd = runs_dir_fd, .state_dir_fd = state_dir_fd };
}

enum { ROLES = 3, WAYS = 2 };

/* Or the tests below would show nothing. */
START_TEST(without_a_sandbox_all_of_it_is_possible)
{
	static try_fn *const all[] = {
		reads_outside, changes_a_run, writes_beneath, writes_outside, starts_a_program,
		connects, reaches_other_processes, changes_the_machine, makes_memory_executable,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_msg(can(NULL, true, all[i]), "the attempt at place %zu", i);
}
END_TEST

START_TEST(every_role_reads_runs_and_has_threads)
{
	struct sandbox sandbox = role(_i / WAYS);

	ck_assert(can(&sandbox, _i % WAYS, reads_a_run));
	ck_assert(can(&sandbox, _i % WAYS, makes_threads));
	ck_assert(can(&sandbox, _i % WAYS, survives_a_refusal_in_a_thread));
}
END_TEST

START_TEST(no_role_starts_programs_connects_or_touches_others)
{
	struct sandbox sandbox = role(_i / WAYS);

	ck_assert(!can(&sandbox, _i % WAYS, starts_a_program));
	ck_assert(!can(&sandbox, _i % WAYS, connects));
	ck_assert(!can(&sandbox, _i % WAYS, reaches_other_processes));
	ck_assert(!can(&sandbox, _i % WAYS, changes_the_machine));
	ck_assert(!can(&sandbox, _i % WAYS, makes_memory_executable));
}
END_TEST

START_TEST(who_does_not_record_writes_nowhere)
{
	struct sandbox sandbox = role(_i / WAYS);

	ck_assert(!can(&sandbox, _i % WAYS, changes_a_run));
	ck_assert(!can(&sandbox, _i % WAYS, writes_beneath));
	ck_assert(!can(&sandbox, _i % WAYS, writes_outside));
}
END_TEST

START_TEST(every_role_writes_what_outlives_it_in_the_state_directory)
{
	struct sandbox sandbox = role(_i / WAYS);

	ck_assert(can(&sandbox, _i % WAYS, keeps_state));
	/* What is too old is taken away by discovery. */
	if (sandbox.role == SANDBOX_DISCOVERY)
		ck_assert(can(&sandbox, _i % WAYS, takes_state_away));
	sandbox.state_dir_fd = -1;
	if (!sandbox.records)
		ck_assert(!can(&sandbox, _i % WAYS, keeps_state));
}
END_TEST

START_TEST(who_records_writes_runs)
{
	struct sandbox sandbox = role(2);

	ck_assert(can(&sandbox, _i, writes_a_run));
	ck_assert(can(&sandbox, _i, makes_a_run));
	ck_assert(can(&sandbox, _i, writes_beneath));
}
END_TEST

START_TEST(nothing_outside_is_read_or_written)
{
	struct sandbox sandbox = role(_i);

	if (!kernel_has_landlock())
		return; /* then it is for the user's permissions, and the service manager's */
	ck_assert(!can(&sandbox, true, reads_outside));
	ck_assert(!can(&sandbox, true, writes_outside));
}
END_TEST

/* As after it was deleted, or when it is on a file system that comes late. */
START_TEST(a_runs_directory_that_is_made_anew_is_read)
{
	struct sandbox sandbox = role(_i);
	char command[256];

	snprintf(command, sizeof(command), "mv %s %s/inside/old", runs_dir, folder);
	ck_assert_int_eq(system(command), 0);
	sandbox.runs_dir_fd = _i == 2 ? runs_dir_fd : -1;
	fflush(NULL);
	{
		int ready[2], status;
		pid_t child;
		char byte;

		ck_assert_int_eq(pipe(ready), 0);
		child = fork();
		if (child == 0) {
			struct sandbox_state state;

			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			    sandbox_enter(&sandbox, &state))
				_exit(97);
			/* Waits until there is one again. */
			if (read(ready[0], &byte, 1) != 1)
				_exit(96);
			_exit(opens("inside/runs/run/log", O_RDONLY) ? 10 : 11);
		}
		snprintf(command, sizeof(command), "cp -r %s/inside/old %s", folder, runs_dir);
		ck_assert_int_eq(system(command), 0);
		ck_assert_int_eq(write(ready[1], "", 1), 1);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(WEXITSTATUS(status), 10);
	}
}
END_TEST

START_TEST(a_refused_call_is_named_in_the_log_once)
{
	struct sandbox sandbox = role(1), *at = &sandbox;
	char text[1024] = "";
	int pipe_fds[2], status;
	const char *found;
	pid_t child;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		struct sandbox_state state;

		if (dup2(pipe_fds[1], STDERR_FILENO) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sandbox_enter(at, &state))
			_exit(97);
		_exit(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == ENOSYS &&
		                      socket(AF_INET, SOCK_STREAM, 0) < 0
		              ? 10
		              : 11);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 10);
	ck_assert_int_gt(read(pipe_fds[0], text, sizeof(text) - 1), 0);
	found = strstr(text, "call_refused call=socket ");
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_null(strstr(found + 1, "call_refused"));
}
END_TEST

START_TEST(the_supervisor_starts_children_that_are_confined_further_and_nothing_else)
{
	struct sandbox sandbox = { .role = SANDBOX_SUPERVISOR, .runs_dir_fd = -1, .state_dir_fd = -1 };

	ck_assert(can(&sandbox, true, reads_outside));
	ck_assert(can(&sandbox, true, starts_children_in_sandboxes));
	ck_assert(can(&sandbox, true, survives_a_refusal_in_a_thread));
	ck_assert(!can(&sandbox, true, becomes_a_program));
	ck_assert(!can(&sandbox, true, becomes_another_user));
	ck_assert(!can(&sandbox, true, reaches_out));
	ck_assert(!can(&sandbox, true, changes_what_is_nobodys));
	ck_assert(!can(&sandbox, true, makes_memory_executable));
	sandbox.changes_user = true;
	ck_assert(can(&sandbox, true, becomes_another_user));
	/* But for the sandbox all of it is possible, to root at least. */
	ck_assert(can(NULL, true, becomes_a_program));
	ck_assert(can(NULL, true, reaches_out));
	ck_assert(can(NULL, true, changes_what_is_nobodys));
}
END_TEST

int
main(void)
{
	Suite *suite;
	TCase *tests;
	SRunner *runner;
	int failed;

	if (!sandbox_is_built())
		return 77; /* for automake: it is skipped */
	suite = suite_create("sandbox");
	tests = tcase_create("sandbox");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, without_a_sandbox_all_of_it_is_possible);
	tcase_add_loop_test(tests, every_role_reads_runs_and_has_threads, 0, ROLES * WAYS);
	tcase_add_loop_test(tests, no_role_starts_programs_connects_or_touches_others, 0, ROLES * WAYS);
	tcase_add_loop_test(tests, every_role_writes_what_outlives_it_in_the_state_directory, 0, ROLES * WAYS);
	tcase_add_loop_test(tests, who_does_not_record_writes_nowhere, 0, 2 * WAYS);
	tcase_add_loop_test(tests, who_records_writes_runs, 0, WAYS);
	tcase_add_loop_test(tests, nothing_outside_is_read_or_written, 0, ROLES);
	tcase_add_loop_test(tests, a_runs_directory_that_is_made_anew_is_read, 0, ROLES);
	tcase_add_test(tests, the_supervisor_starts_children_that_are_confined_further_and_nothing_else);
	tcase_add_test(tests, a_refused_call_is_named_in_the_log_once);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
