#include "admin/exec_terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"

void
exec_terminal_init(struct exec_terminal *terminal, pid_t group)
{
	*terminal = (struct exec_terminal){
		.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY),
		.group = group,
	};
}

static bool
is_foreground(const struct exec_terminal *terminal)
{
	return terminal->fd >= 0 && tcgetpgrp(terminal->fd) == getpgrp();
}

void
exec_terminal_fini(struct exec_terminal *terminal)
{
	if (terminal->is_lent && tcgetpgrp(terminal->fd) == terminal->group)
		tcsetpgrp(terminal->fd, getpgrp());
	fd_close(&terminal->fd);
}

static void
lend(struct exec_terminal *terminal)
{
	terminal->is_lent = tcsetpgrp(terminal->fd, terminal->group) == 0;
}

void
exec_terminal_stopped(struct exec_terminal *terminal, int signal_number)
{
	bool wants_terminal = signal_number == SIGTTIN || signal_number == SIGTTOU;

	if (terminal->fd < 0)
		return; /* nobody there to say "fg": whoever stopped the command continues it */
	if (wants_terminal && is_foreground(terminal)) {
		lend(terminal);
		if (terminal->is_lent) {
			kill(-terminal->group, SIGCONT);
			return;
		}
	}
	if (terminal->is_lent && tcgetpgrp(terminal->fd) == terminal->group)
		tcsetpgrp(terminal->fd, getpgrp());
	/* Once in the foreground again, it shall have what it asked for. */
	terminal->is_lent = terminal->is_lent || wants_terminal;
	raise(SIGSTOP);
}

void
exec_terminal_continued(struct exec_terminal *terminal)
{
	if (terminal->is_lent && is_foreground(terminal))
		lend(terminal);
	kill(-terminal->group, SIGCONT);
}
