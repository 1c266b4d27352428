/*
 * The runtime directory: where an instance's sockets, pid file and lock are, and what makes it
 * one instance.
 */
#ifndef SUPERVISOR_RUNTIME_DIR_H
#define SUPERVISOR_RUNTIME_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define RUNTIME_DIR_PID_FILE "runstreamd.pid"
#define RUNTIME_DIR_LOCK "lock"

/*
 * Makes the directory (0755) unless it is there. One that is there must be ours: no symbolic
 * link, our own, writable by nobody else; in /tmp anybody could have put it there. 0, or -errno
 * and a sentence.
 */
int runtime_dir_make(const char *path, struct buf *sentence);

/*
 * Takes the lock, which is held as long as any process has *ret_fd (returns owned, CLOEXEC)
 * open: the children inherit it, so after a supervisor was killed this waits for them, at most
 * patience_ms. -EALREADY: another supervisor is alive; -ETIMEDOUT: its children do not end;
 * other -errno. With a sentence.
 */
int runtime_dir_lock(const char *path, int64_t patience_ms, int *ret_fd, struct buf *sentence);

/* Writes our pid into the pid file, replacing it as a whole. 0, or -errno and a sentence. */
int runtime_dir_write_pid(const char *path, struct buf *sentence);

/*
 * Removes what an instance makes, what a killed one left as well as what we made: the pid file,
 * and, unless they are a service manager's, the control socket and the workers' sockets. The lock
 * must be held.
 */
void runtime_dir_clear(const char *path, bool with_control_socket, bool with_worker_sockets);

/* Gives the lock back, and removes its file. */
void runtime_dir_unlock(const char *path, int *fd);

#endif
