/*
 * Job control for a command in a process group of its own (setpgid(2)), so that signals reach
 * all of it. Such a group is in the background of its terminal: it is lent the foreground when
 * it asks for it, by being stopped with SIGTTIN or SIGTTOU, as most commands never do; and when
 * it is stopped, runstreamctl stops too, so that the shell gets its prompt.
 */
#ifndef ADMIN_EXEC_TERMINAL_H
#define ADMIN_EXEC_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct exec_terminal {
	int fd; /* /dev/tty; -1: there is no controlling terminal */
	pid_t group;
	bool is_lent;
};

/* SIGTTOU must be blocked from here on: a group that takes the foreground back would get it. */
void exec_terminal_init(struct exec_terminal *terminal, pid_t group);
/* Takes the foreground back, if it was lent. */
void exec_terminal_fini(struct exec_terminal *terminal);

/* The group was stopped by this signal: lends it the foreground, or stops us as well. */
void exec_terminal_stopped(struct exec_terminal *terminal, int signal_number);
/* We go on (SIGCONT): so does the group, in the foreground if it had it and we have it again. */
void exec_terminal_continued(struct exec_terminal *terminal);

#endif
