/*
 * The process of a command: made first, started later, so that its pid can be written down
 * before it does anything.
 */
#ifndef ADMIN_EXEC_CHILD_H
#define ADMIN_EXEC_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the command is to inherit, as it was before runstreamctl changed it for itself. */
struct exec_signals {
	sigset_t mask;
	struct sigaction pipe, child;
};

/* Keeps the present state, and then ignores SIGPIPE and lets SIGCHLD come. 0 or -errno. */
int exec_signals_init(struct exec_signals *signals);

struct exec_child {
	pid_t pid;   /* and its process group's */
	int gate_fd; /* -1 once it was started or given up */
	int stdout_fd, stderr_fd; /* our ends of its pipes, if any; the caller may take them (set to -1) */
};

/* A terminal for the command; NULL stands for pipes. */
struct exec_child_terminal {
	int fd;            /* its stdout and stderr; borrowed */
	bool is_stdin_too;
};

/*
 * Forks a process that waits to become the command, in a process group of its own, with its
 * stdout and stderr in pipes; or in a session of its own, which has that terminal. 0 or -errno.
 */
int exec_child_fork(char *const *command, const struct exec_signals *signals,
                    const struct exec_child_terminal *terminal, struct exec_child *ret_child);

/*
 * Lets it go, and waits until it has become the command. 0, or -errno of execvp(3); it must be
 * waited for in both cases.
 */
int exec_child_start(struct exec_child *child);

/* Ends a child that was not started, waits for it, and closes what is still open. */
void exec_child_fini(struct exec_child *child);

#endif
