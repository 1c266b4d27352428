/* Descriptors: closing, flags, and passing them between processes. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

/* Closes *fd if it is not negative, sets it to -1, and keeps errno. */
void fd_close(int *fd);

/*
 * Opens /dev/null in the place of each of the standard descriptors 0 to 2 that is closed, in the
 * direction that is of no use (EBADF): else the next file to be opened would be taken for stdin,
 * stdout or stderr. 0 or -errno.
 */
int fd_open_standard(void);

/* Sets O_NONBLOCK. Returns 0 or -errno. */
int fd_set_nonblocking(int fd);

/* Writes all of it to a blocking descriptor, over EINTR and partial writes. 0 or -errno. */
int fd_write_all(int fd, const void *bytes, size_t length);

/*
 * Reads until the end of the file, at most limit bytes, into a string that is NUL-terminated
 * (returns owned). -EFBIG if there is more. *ret_length may be NULL.
 */
int fd_read_all(int fd, size_t limit, char **ret_text, size_t *ret_length);

enum { FD_PASS_MAX = 253 }; /* as many as the kernel passes in a message: SCM_MAX_FD, unix(7) */

/*
 * Sends one message with descriptors (borrowed) over a Unix socket: SCM_RIGHTS, unix(7).
 * length > 0, count <= FD_PASS_MAX. Returns 0 or -errno (-EAGAIN on a full non-blocking one).
 */
int fd_send(int socket, const void *bytes, size_t length, const int *fds, size_t count);

/*
 * Receives one message and up to fd_capacity descriptors (returns owned, CLOEXEC; surplus ones
 * are closed). Returns the number of bytes, 0 at the end, or -errno; -EMSGSIZE when cut.
 */
ssize_t fd_receive(int socket, void *bytes, size_t capacity, int *ret_fds, size_t fd_capacity,
                   size_t *ret_count);

#endif
