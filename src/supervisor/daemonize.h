/* Going into the background, in such a way that who started us knows how it went. */
#ifndef SUPERVISOR_DAEMONIZE_H
#define SUPERVISOR_DAEMONIZE_H

/*
 * Forks. Returns in the daemon, which leads no session and has no terminal; the process that
 * was started waits, and ends with status 0 once daemonize_ready() was called, with 1 if the
 * daemon ends before. 0 with the descriptor to tell it by, or -errno.
 */
int daemonize_begin(int *ret_fd);

/*
 * Tells that the service is up; fd (-1: not in the background) is closed. From here on stdin
 * and stdout are /dev/null, and so is stderr if it is a terminal or a pipe, whose reader would
 * wait for its end; a file or a journal's socket is kept for the log.
 */
void daemonize_ready(int *fd);

#endif
