#include "admin/exec_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

int
exec_signals_init(struct exec_signals *signals)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN }, take = { .sa_handler = SIG_DFL };

	if (sigprocmask(SIG_SETMASK, NULL, &signals->mask) < 0 ||
	    sigaction(SIGPIPE, &ignore, &signals->pipe) < 0 ||
	    sigaction(SIGCHLD, &take, &signals->child) < 0)
		return -errno;
	return 0;
}

/* In the child: only what is safe after fork(2), and no way back. */
static _Noreturn void
become(char *const *command, const struct exec_signals *signals,
       const struct exec_child_terminal *terminal, int gate_fd, int stdout_fd, int stderr_fd)
{
	ssize_t n;
	char go;
	int error;

	if (terminal) {
		setsid();
		ioctl(terminal->fd, TIOCSCTTY, 0);
	} else {
		setpgid(0, 0);
	}
	do
		n = read(gate_fd, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1); /* it was thought better of, or runstreamctl was killed */
	if (dup2(stdout_fd, STDOUT_FILENO) >= 0 && dup2(stderr_fd, STDERR_FILENO) >= 0 &&
	    (!terminal || !terminal->is_stdin_too || dup2(terminal->fd, STDIN_FILENO) >= 0)) {
		sigaction(SIGPIPE, &signals->pipe, NULL);
		sigaction(SIGCHLD, &signals->child, NULL);
		sigprocmask(SIG_SETMASK, &signals->mask, NULL);
		execvp(command[0], command);
	}
	error = errno;
	/* The gate closes on exec; that it brings a number says that there was none. */
	while (write(gate_fd, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(error == ENOENT ? 127 : 126);
}

int
exec_child_fork(char *const *command, const struct exec_signals *signals,
                const struct exec_child_terminal *terminal, struct exec_child *ret_child)
{
	int gate[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, r = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0 ||
	    (!terminal && (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0))) {
		r = -errno;
		goto out;
	}
	pid = fork();
	if (pid < 0) {
		r = -errno;
		goto out;
	}
	if (pid == 0) {
		/* Its own copy of our end would keep the gate from ever closing. */
		close(gate[0]);
		become(command, signals, terminal, gate[1], terminal ? terminal->fd : out[1],
		       terminal ? terminal->fd : err[1]);
	}
	/* In both, since either may come first. Not for who begins a session, which a leader of a group
	 * cannot. */
	if (!terminal)
		setpgid(pid, pid);
	*ret_child = (struct exec_child){
		.pid = pid, .gate_fd = gate[0], .stdout_fd = out[0], .stderr_fd = err[0],
	};
	gate[0] = out[0] = err[0] = -1;
out:
	for (int i = 0; i < 2; i++) {
		fd_close(&gate[i]);
		fd_close(&out[i]);
		fd_close(&err[i]);
	}
	return r;
}

int
exec_child_start(struct exec_child *child)
{
	int error = 0;
	ssize_t n;

	n = send(child->gate_fd, "", 1, MSG_NOSIGNAL);
	if (n == 1)
		do
			n = recv(child->gate_fd, &error, sizeof(error), MSG_WAITALL);
		while (n < 0 && errno == EINTR);
	fd_close(&child->gate_fd);
	/* Nothing, or a connection reset by a child that was killed: waiting for it tells more. */
	return n == sizeof(error) ? -error : 0;
}

void
exec_child_fini(struct exec_child *child)
{
	if (child->gate_fd >= 0) {
		fd_close(&child->gate_fd);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(&child->stdout_fd);
	fd_close(&child->stderr_fd);
}
