#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/exec_child.h"
#include "admin/exec_instance.h"
#include "admin/exec_pty.h"
#include "admin/exec_record.h"
#include "admin/exec_stream.h"
#include "admin/exec_terminal.h"
#include "admin/run_folder.h"
#include "base/fd.h"

const struct command_option exec_options[] = {
	{ "pty", NULL, "with a terminal of its own, for stdout and stderr", 0 },
	{ "project", "P", "the run's project; with --task: P/T/runs/ID", 0 },
	{ "task", "T", "the run's task", 0 },
	{ "run-id", "ID", "the run's id (default: of the time and the pid)", 0 },
	{ 0 },
};

/*
 * Something that the command left behind may keep its pipes open for ever. What it still writes
 * is taken for so long after the command's end.
 */
enum { LINGER_MS = 1000 };

/* A disk that is full at the command's end is given ten seconds to have room for the run-info. */
enum { END_ATTEMPTS = 50, END_PAUSE_MS = 200 };

static const int forwarded_signals[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT,
};

struct execution {
	struct settings settings;
	struct run_folder folder;
	struct exec_record record;
	struct exec_signals signals;
	struct exec_child child;
	struct exec_terminal terminal;
	struct exec_pty pty; /* instead of pipes, and of the above */
	struct loop *loop;
	struct offload *offload;
	struct loop_timer linger;
	struct exec_stream out, err;
	unsigned open_streams;
	bool is_over;    /* the command was waited for: */
	int wait_status;
	bool was_told_to_end;
};

/* --- while it runs ---------------------------------------------------------------------------- */

static void
stop_if_done(struct execution *e)
{
	if (e->is_over && e->open_streams == 0)
		loop_stop(e->loop);
}

static void
stream_ended(void *arg)
{
	struct execution *e = arg;

	e->open_streams--;
	stop_if_done(e);
}

static void
lingered(void *arg)
{
	struct execution *e = arg;

	exec_stream_finish(&e->out);
	exec_stream_finish(&e->err);
}

/* Whoever stopped a command that nobody sits at will continue it. */
static void
stop_with_terminal(struct execution *e)
{
	if (e->pty.has_keyboard)
		exec_pty_stopped(&e->pty);
}

static void
child_changed(void *arg, int signal_number)
{
	struct execution *e = arg;
	int status;

	(void)signal_number;
	while (!e->is_over && waitpid(e->child.pid, &status, WNOHANG | WUNTRACED) == e->child.pid) {
		if (WIFSTOPPED(status)) {
			if (e->pty.master_fd >= 0)
				stop_with_terminal(e);
			else
				exec_terminal_stopped(&e->terminal, WSTOPSIG(status));
			continue;
		}
		e->is_over = true;
		e->wait_status = status;
		if (e->open_streams > 0)
			loop_timer_set(e->loop, &e->linger, LINGER_MS, lingered, e);
		stop_if_done(e);
	}
}

/* With a terminal of its own: what that does by itself. True: there is nothing to forward. */
static bool
is_for_terminal(struct execution *e, int *signal_number)
{
	if (e->pty.master_fd < 0)
		return false;
	switch (*signal_number) {
	case SIGWINCH:
		exec_pty_resize(&e->pty); /* from which its signal comes */
		return true;
	case SIGCONT:
		exec_pty_resize(&e->pty);
		exec_pty_start(&e->pty);
		return false;
	case SIGTSTP:
		/* A session without a shell takes no notice of that one. */
		*signal_number = SIGSTOP;
		return false;
	default:
		return false;
	}
}

/* To the whole group, or to the command alone if it left its group. */
static void
forward(void *arg, int signal_number)
{
	struct execution *e = arg;

	if (e->is_over) {
		/* Nobody left to tell: what keeps us is a reader that does not read. */
		if (exec_record_is_ending_signal(signal_number)) {
			exec_stream_give_up(&e->out);
			exec_stream_give_up(&e->err);
		}
		return;
	}
	if (is_for_terminal(e, &signal_number))
		return;
	if (signal_number == SIGCONT && e->pty.master_fd < 0) {
		exec_terminal_continued(&e->terminal);
		return;
	}
	e->was_told_to_end = e->was_told_to_end || exec_record_is_ending_signal(signal_number);
	if (kill(-e->child.pid, signal_number) < 0)
		kill(e->child.pid, signal_number);
}

/* One that was ignored when we were started (nohup, a shell's "&") stays ignored. */
static int
take_signal(struct execution *e, int signal_number)
{
	struct sigaction present;

	if (sigaction(signal_number, NULL, &present) == 0 && present.sa_handler == SIG_IGN)
		return 0;
	return loop_signal_add(e->loop, signal_number, forward, e);
}

static int
take_signals(struct execution *e)
{
	int r = loop_signal_add(e->loop, SIGCHLD, child_changed, e);
	sigset_t ttou;

	for (size_t i = 0; r == 0 && i < sizeof(forwarded_signals) / sizeof(forwarded_signals[0]); i++)
		r = take_signal(e, forwarded_signals[i]);
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, NULL);
	return r;
}

/* --- from the start to the end ---------------------------------------------------------------- */

/* A log that cannot be made is like one that cannot be written: it stops nothing. */
static int
open_log(struct execution *e, const char *name, int *ret_error)
{
	int fd = openat(e->folder.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	                0666);

	*ret_error = fd < 0 ? -errno : 0;
	return fd;
}

static int
attach(struct execution *e)
{
	int error, log = open_log(e, e->settings.storage.files.stdout_log, &error), r;

	e->open_streams = 2;
	if (e->pty.master_fd >= 0) {
		e->open_streams = 1;
		e->child.stdout_fd = fcntl(e->pty.master_fd, F_DUPFD_CLOEXEC, 0);
		if (e->child.stdout_fd < 0)
			return -errno;
	}
	r = exec_stream_init(&e->out, "stdout", e->loop, e->offload, e->child.stdout_fd, log, error,
	                     STDOUT_FILENO, stream_ended, e);
	e->child.stdout_fd = -1;
	if (r < 0 || e->pty.master_fd >= 0)
		return r;
	log = open_log(e, e->settings.storage.files.stderr_log, &error);
	r = exec_stream_init(&e->err, "stderr", e->loop, e->offload, e->child.stderr_fd, log, error,
	                     STDERR_FILENO, stream_ended, e);
	e->child.stderr_fd = -1;
	return r;
}

/* The status of runstreamctl; for a signal that killed the command, there is no return. */
static int
end_as_command(int wait_status)
{
	int signal_number;
	sigset_t only;

	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	signal_number = WTERMSIG(wait_status);
	/* The command's core was written, or not, as it wished: ours would be in its way. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(signal_number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, signal_number);
	raise(signal_number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	return EXEC_RECORD_SIGNAL_CODE + signal_number;
}

/* False: somebody wants us to end. The signals are blocked, and the loop that takes them is over. */
static bool
wait_for_room(void)
{
	const struct timespec pause = { .tv_nsec = END_PAUSE_MS * 1000000L };
	sigset_t ending;

	sigemptyset(&ending);
	for (size_t i = 0; i < sizeof(forwarded_signals) / sizeof(forwarded_signals[0]); i++)
		if (exec_record_is_ending_signal(forwarded_signals[i]))
			sigaddset(&ending, forwarded_signals[i]);
	return sigtimedwait(&ending, NULL, &pause) < 0;
}

static void
write_end(struct execution *e, int exec_error, const char *command)
{
	const struct exec_ending ending = {
		.command = command,
		.exec_error = exec_error,
		.wait_status = e->wait_status,
		.was_told_to_end = e->was_told_to_end,
		.lost_bytes = e->out.lost_bytes + e->err.lost_bytes,
		.lost_error = e->out.lost_bytes > 0 ? e->out.log_error : e->err.log_error,
	};
	int r = exec_record_write_end(&e->record, &ending);

	for (int i = 0; (r == -ENOSPC || r == -EDQUOT) && i < END_ATTEMPTS && wait_for_room(); i++)
		r = exec_record_write_end(&e->record, &ending);
	if (r < 0)
		command_warn("the end of run %s cannot be written, its %s says \"running\" for ever: %s",
		             e->folder.run_id, e->record.name, strerror(-r));
}

/* Forks, with a terminal of its own or pipes. 0 or -errno. */
static int
fork_command(struct execution *e, char *const *command, bool wants_pty)
{
	struct exec_child_terminal terminal = { .fd = -1 };
	int r = wants_pty ? exec_pty_open(&e->pty, e->loop, &terminal.fd) : 0;

	terminal.is_stdin_too = e->pty.has_keyboard;
	if (r == 0)
		r = exec_child_fork(command, &e->signals, wants_pty ? &terminal : NULL, &e->child);
	fd_close(&terminal.fd);
	if (r == 0 && !wants_pty)
		exec_terminal_init(&e->terminal, e->child.pid);
	return r;
}

/* From the fork to the last byte in the logs. Returns an exit status. */
static int
run(struct execution *e, char *const *command, bool wants_pty)
{
	int exec_error, r = exec_signals_init(&e->signals);

	if (r == 0)
		r = loop_new(&e->loop);
	if (r == 0)
		r = offload_new(e->loop, 2, &e->offload);
	if (r == 0)
		r = take_signals(e);
	if (r == 0)
		r = fork_command(e, command, wants_pty);
	if (r < 0)
		return command_failed("cannot prepare %s: %s", command[0], strerror(-r));
	r = exec_record_write_start(&e->record, e->child.pid);
	if (r == -ENOSPC || r == -EDQUOT)
		command_warn("run %s has no %s: %s", e->folder.run_id, e->record.name,
		             strerror(-r));
	else if (r < 0)
		return command_failed("cannot write %s/%s: %s", e->folder.path, e->record.name,
		                      strerror(-r));
	r = attach(e);
	if (r < 0)
		return command_failed("cannot prepare %s: %s", command[0], strerror(-r));

	exec_pty_start(&e->pty);
	exec_error = exec_child_start(&e->child);
	if (exec_error < 0)
		command_warn("cannot execute %s: %s", command[0], strerror(-exec_error));
	r = loop_run(e->loop);
	if (r < 0)
		return command_failed("lost sight of %s: %s", command[0], strerror(-r));
	exec_terminal_fini(&e->terminal);
	exec_pty_fini(&e->pty);
	write_end(e, exec_error, command[0]);
	return end_as_command(e->wait_status);
}

int
exec_run(struct call *call)
{
	const char *run_id = call_option(call, "run-id"), *project = call_option(call, "project");
	const char *task = call_option(call, "task");
	bool wants_pty = call_option(call, "pty");
	char error[RUN_FOLDER_ERROR_BYTES];
	struct execution *e;
	int status = COMMAND_FAILED, r;

	if (call->argument_count == 0)
		return command_misused("exec: no command was given");
	if (!project != !task)
		return command_misused("exec: --project and --task go together");
	e = calloc(1, sizeof(*e));
	if (!e)
		return command_failed("out of memory");
	e->folder.fd = e->out.pipe_fd = e->out.log_fd = e->err.pipe_fd = e->err.log_fd = -1;
	e->child.gate_fd = e->child.stdout_fd = e->child.stderr_fd = e->terminal.fd = -1;
	e->pty.master_fd = -1;
	if (call_settings(call, &e->settings) < 0) {
		free(e);
		return COMMAND_FAILED;
	}
	if (!call->runs_dir && exec_instance_ask(&e->settings, run_id) != 0)
		goto out;
	r = run_folder_make(e->settings.storage.runs_dir, project, task, run_id, &e->folder, error);
	if (r < 0) {
		/* -EINVAL: a name that none may have. */
		status = r == -EINVAL ? command_misused("exec: %s", error) : command_failed("%s", error);
		goto out;
	}
	if (exec_record_init(&e->record, &e->folder, &e->settings, project, task, wants_pty,
	                     call->arguments) < 0) {
		status = command_failed("out of memory");
		goto out;
	}
	status = run(e, call->arguments, wants_pty);
out:
	exec_terminal_fini(&e->terminal);
	exec_pty_fini(&e->pty);
	exec_stream_fini(&e->out);
	exec_stream_fini(&e->err);
	exec_child_fini(&e->child);
	run_folder_fini(&e->folder);
	exec_record_fini(&e->record);
	settings_fini(&e->settings);
	offload_free(&e->offload);
	loop_free(&e->loop);
	/* A helper thread that hangs in a write to our stdout still reads its piece. */
	if (!e->out.is_passing && !e->err.is_passing)
		free(e);
	return status;
}
