#include "admin/exec_pty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

enum { DEFAULT_ROWS = 24, DEFAULT_COLUMNS = 80 };

/* --- our terminal ------------------------------------------------------------------------------- */

static struct exec_pty *to_restore; /* at exit(3) */

static void
restore(struct exec_pty *pty)
{
	if (pty->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &pty->cooked);
	pty->is_raw = false;
}

static void
restore_at_exit(void)
{
	if (to_restore)
		restore(to_restore);
}

/* It is the command's terminal that echoes and makes signals of keys. Not while another job has
 * ours: SIGTTOU is blocked, so nothing else would keep us from it. */
static void
make_raw(struct exec_pty *pty)
{
	struct termios raw;

	if (pty->is_raw || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &pty->cooked) < 0)
		return;
	raw = pty->cooked;
	cfmakeraw(&raw);
	pty->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void
exec_pty_resize(struct exec_pty *pty)
{
	struct winsize size = { .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLUMNS };

	if (pty->master_fd < 0)
		return;
	if (pty->window_fd >= 0)
		ioctl(pty->window_fd, TIOCGWINSZ, &size);
	ioctl(pty->master_fd, TIOCSWINSZ, &size);
}

/* --- what is typed ------------------------------------------------------------------------------- */

static void typed(void *arg, uint32_t events);

static void
listen_to_keyboard(struct exec_pty *pty)
{
	/* In the background a read would stop us. */
	if (pty->has_keyboard && pty->is_raw && pty->at == pty->length && !pty->input_watch.fn)
		if (loop_fd_add(pty->loop, &pty->input_watch, STDIN_FILENO, EPOLLIN, typed, pty) < 0)
			pty->input_watch.fn = NULL;
}

static void
stop_listening(struct exec_pty *pty)
{
	if (pty->input_watch.fn)
		loop_fd_remove(pty->loop, &pty->input_watch);
	pty->input_watch.fn = NULL;
}

static void
pass_on(void *arg, uint32_t events)
{
	struct exec_pty *pty = arg;
	ssize_t n = write(pty->master_fd, pty->input + pty->at, pty->length - pty->at);

	(void)events;
	if (n > 0)
		pty->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		pty->at = pty->length; /* nobody reads it any more */
	if (pty->at < pty->length) {
		stop_listening(pty);
		if (!pty->output_watch.fn &&
		    loop_fd_add(pty->loop, &pty->output_watch, pty->master_fd, EPOLLOUT, pass_on, pty) < 0)
			pty->at = pty->length;
	}
	if (pty->at == pty->length && pty->output_watch.fn) {
		loop_fd_remove(pty->loop, &pty->output_watch);
		pty->output_watch.fn = NULL;
	}
	listen_to_keyboard(pty);
}

static void
typed(void *arg, uint32_t events)
{
	struct exec_pty *pty = arg;
	ssize_t n = read(STDIN_FILENO, pty->input, sizeof(pty->input));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stop_listening(pty); /* hung up: there is a signal for that */
		return;
	}
	pty->length = (size_t)n;
	pty->at = 0;
	pass_on(pty, EPOLLOUT);
}

/* --- from the start to the end ------------------------------------------------------------------- */

/* As ours is set; without one whose output it becomes, lines end as the command ends them. */
static void
set_up(struct exec_pty *pty, int fd)
{
	struct termios settings;

	if (tcgetattr(pty->has_keyboard ? STDIN_FILENO : fd, &settings) < 0)
		return;
	if (!pty->has_keyboard || !isatty(STDOUT_FILENO))
		settings.c_oflag &= ~(tcflag_t)ONLCR;
	tcsetattr(fd, TCSANOW, &settings);
}

int
exec_pty_open(struct exec_pty *pty, struct loop *loop, int *ret_command_fd)
{
	char name[64];
	int fd = -1, r = 0;

	pty->loop = loop;
	pty->window_fd = -1;
	for (int i = STDERR_FILENO; i >= STDIN_FILENO; i--)
		if (isatty(i))
			pty->window_fd = i;
	pty->has_keyboard = isatty(STDIN_FILENO);
	pty->master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (pty->master_fd < 0)
		return -errno;
	if (grantpt(pty->master_fd) < 0 || unlockpt(pty->master_fd) < 0)
		r = -errno;
	if (r == 0)
		r = -ptsname_r(pty->master_fd, name, sizeof(name));
	if (r == 0) {
		fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		fd_close(&pty->master_fd);
		return r;
	}
	set_up(pty, fd);
	exec_pty_resize(pty);
	*ret_command_fd = fd;
	return 0;
}

void
exec_pty_start(struct exec_pty *pty)
{
	if (!pty->has_keyboard)
		return;
	if (!to_restore)
		atexit(restore_at_exit);
	to_restore = pty;
	make_raw(pty);
	listen_to_keyboard(pty);
}

void
exec_pty_fini(struct exec_pty *pty)
{
	if (pty->master_fd < 0)
		return;
	restore(pty);
	to_restore = NULL;
	stop_listening(pty);
	if (pty->output_watch.fn)
		loop_fd_remove(pty->loop, &pty->output_watch);
	fd_close(&pty->master_fd);
}

void
exec_pty_stopped(struct exec_pty *pty)
{
	stop_listening(pty);
	restore(pty);
	raise(SIGSTOP);
}
