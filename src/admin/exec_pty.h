/*
 * A terminal of the command's own, for one that writes in large pieces, or not at all, when it
 * sees a pipe: its stdout and stderr are that terminal, and so one. Ours, if we have one, stands
 * behind it: what is typed goes to the command as it is typed, and the window has our size.
 */
#ifndef ADMIN_EXEC_PTY_H
#define ADMIN_EXEC_PTY_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "base/loop.h"

enum { EXEC_PTY_INPUT_BYTES = 1024 };

struct exec_pty {
	struct loop *loop;
	int master_fd;       /* ours of the pair; -1: there is none */
	int window_fd;       /* the terminal whose size it has; -1: we have none */
	bool has_keyboard;   /* our stdin is a terminal, */
	bool is_raw;         /* and was made one that does nothing by itself; it was: */
	struct termios cooked;
	struct loop_fd input_watch, output_watch;
	size_t length, at;   /* of what was typed and not passed on yet */
	char input[EXEC_PTY_INPUT_BYTES];
};

/*
 * Makes the pair. 0 and, in *ret_command_fd, what is to be the command's stdout and stderr, and
 * its stdin if has_keyboard; or -errno.
 */
int exec_pty_open(struct exec_pty *pty, struct loop *loop, int *ret_command_fd);

/* Begins to pass on what is typed, as far as we are in the foreground. */
void exec_pty_start(struct exec_pty *pty);

/* Leaves our terminal as it was found. Also done at exit(3). Takes one that was not opened. */
void exec_pty_fini(struct exec_pty *pty);

/* SIGWINCH: the command's window is as large as ours. */
void exec_pty_resize(struct exec_pty *pty);

/* The command was stopped: so are we, and our terminal is as it was. */
void exec_pty_stopped(struct exec_pty *pty);

#endif
