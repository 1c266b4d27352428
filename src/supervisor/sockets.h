/*
 * The workers' listening sockets. The supervisor makes and keeps them, so that a worker that is
 * started again refuses nobody: who connects meanwhile waits in the backlog.
 */
#ifndef SUPERVISOR_SOCKETS_H
#define SUPERVISOR_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "shm/instance.h"

struct sockets {
	bool outlive_us; /* a service manager's: who connects as we end is for the next instance */
	int fds[INSTANCE_WORKERS_MAX]; /* listening, non-blocking, CLOEXEC */
	uint32_t count;
};

/*
 * Takes what the service manager handed over (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES:
 * sd_listen_fds(3)), and removes the variables. One that is named "control" is the control
 * socket; of the others the nth is worker n's. *ret_sockets has a count of 0, and
 * *ret_control_fd is -1, when there is none. 0, or -errno and a sentence.
 */
int sockets_take(struct sockets *ret_sockets, int *ret_control_fd, struct buf *sentence);

/*
 * Makes worker-1.sock to worker-<count>.sock in directory, with mode, and group unless it is
 * (gid_t)-1; nobody can connect before both are right. 0, or -errno and a sentence.
 */
int sockets_make(const char *directory, uint32_t count, mode_t mode, gid_t group,
                 struct sockets *ret_sockets, struct buf *sentence);

/* Makes one such socket of a type (SOCK_STREAM, SOCK_SEQPACKET). The descriptor (returns owned),
 * or -errno and a sentence. */
int sockets_listen(const char *path, int type, mode_t mode, gid_t group, struct buf *sentence);

void sockets_close(struct sockets *sockets);

#endif
