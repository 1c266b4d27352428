#include "supervisor/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* The process that was started: waits for the daemon's word, or its end. */
static _Noreturn void
wait_for(pid_t pid, int fd)
{
	unsigned char word;
	ssize_t n;

	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

int
daemonize_begin(int *ret_fd)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int error = -errno;

		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return error;
	}
	if (pid > 0) {
		fd_close(&fds[1]);
		wait_for(pid, fds[0]);
	}
	fd_close(&fds[0]);
	/* The second fork: who leads no session never gets a terminal by opening one. */
	if (setsid() < 0)
		_exit(EXIT_FAILURE);
	pid = fork();
	if (pid != 0)
		_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	*ret_fd = fds[1];
	return 0;
}

void
daemonize_ready(int *fd)
{
	struct stat status;
	int null;

	if (*fd < 0)
		return;
	/* Not to keep a file system busy that we were started from; the root always is. */
	if (chdir("/") < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (fstat(STDERR_FILENO, &status) < 0 ||
		    (!S_ISREG(status.st_mode) && !S_ISSOCK(status.st_mode)))
			dup2(null, STDERR_FILENO);
	}
	fd_close(&null);
	/* Whoever waited may have been killed; then nobody needs to know. */
	if (write(*fd, "", 1) < 0)
		errno = 0;
	fd_close(fd);
}
