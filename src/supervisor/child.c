#include "supervisor/child.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* 0-2, the lock, nine single descriptors of the instance, four for each worker. */
enum { KEPT_MAX = 3 + 1 + 9 + 4 * INSTANCE_WORKERS_MAX };

struct kept {
	int fds[KEPT_MAX];
	size_t count;
};

static void
keep(struct kept *kept, int fd)
{
	if (fd >= 0)
		kept->fds[kept->count++] = fd;
}

static int
compare(const void *a, const void *b)
{
	const int *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The supervisor's loop, its control clients, the other children's sockets. */
static int
close_others(const struct child_plan *plan)
{
	const struct instance *instance = plan->instance;
	struct kept kept = { .fds = { 0, 1, 2 }, .count = 3 };
	unsigned from = 0;

	keep(&kept, plan->lock_fd);
	keep(&kept, instance->runs_dir_fd);
	keep(&kept, instance->state_dir_fd);
	keep(&kept, instance->registry_fd);
	keep(&kept, instance->buses_fd);
	keep(&kept, instance->board_fd);
	keep(&kept, instance->discovery_counters_fd);
	keep(&kept, instance->supervisor_counters_fd);
	keep(&kept, instance->discovery_bell_fd);
	keep(&kept, instance->supervisor_fd);
	keep(&kept, instance->clients_fd);
	for (uint32_t i = 0; i < instance->worker_count; i++) {
		keep(&kept, instance->listen_fds[i]);
		keep(&kept, instance->worker_bell_fds[i]);
		keep(&kept, instance->occupancy_fds[i]);
		keep(&kept, instance->counters_fds[i]);
	}
	qsort(kept.fds, kept.count, sizeof(kept.fds[0]), compare);
	for (size_t i = 0; i < kept.count; i++) {
		unsigned fd = (unsigned)kept.fds[i];

		if (fd > from && close_range(from, fd - 1, 0) < 0)
			return -errno;
		from = fd + 1;
	}
	return close_range(from, ~0U, 0) < 0 ? -errno : 0;
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* A terminal sends these to all of us; the supervisor decides what they mean. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Which part of it the kernel has is said by discovery, of which there is one. */
static int
confine(const struct child *child, const struct sandbox *sandbox)
{
	struct sandbox_state state;
	int error;

	if (!sandbox)
		return 0;
	error = sandbox_enter(sandbox, &state);
	if (error)
		return error;
	if (child->process == BOARD_DISCOVERY)
		log_line(state.has_filter && state.has_landlock ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
		         "sandbox", "seccomp=%s landlock=%s", state.has_filter ? "yes" : "no",
		         state.has_landlock ? "yes" : "no");
	return 0;
}

static _Noreturn void
live(const struct child *child, const struct child_plan *plan)
{
	char title[sizeof("rs-") + CHILD_NAME_BYTES];
	int error;

	reset_signals();
	log_set_process(child->name);
	snprintf(title, sizeof(title), "rs-%s", child->name);
	prctl(PR_SET_NAME, title, 0, 0, 0); /* its first 15 bytes: for ps and top */
	error = close_others(plan);
	if (!error)
		error = privileges_drop(plan->privileges);
	if (!error)
		error = confine(child, plan->sandbox);
	if (error) {
		log_error("start_failed", "error=\"%s\"", strerror(-error));
		exit(EXIT_FAILURE);
	}
	exit(plan->main(plan->instance));
}

int
child_start(struct child *child, const struct child_plan *plan)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	plan->instance->supervisor_fd = pair[1];
	fflush(NULL); /* or the child would write what we have not yet */
	pid = fork();
	if (pid == 0)
		live(child, plan);
	if (pid < 0) {
		int error = -errno;

		fd_close(&pair[0]);
		fd_close(&pair[1]);
		return error;
	}
	fd_close(&pair[1]);
	child->pid = pid;
	child->fd = pair[0];
	child->started_ms = clock_now_ms();
	return 0;
}

void
child_forget(struct child *child)
{
	child->pid = 0;
	fd_close(&child->fd);
}
