#include "shm/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
bell_create(int *ret_read_fd, int *ret_ring_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ret_read_fd = fds[0];
	*ret_ring_fd = fds[1];
	return 0;
}

bool
bell_ring(int ring_fd, uint32_t slot)
{
	ssize_t n;

	do
		n = write(ring_fd, &slot, sizeof(slot));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(slot);
}

size_t
bell_read(int read_fd, uint32_t *ret_slots, size_t most)
{
	ssize_t n = read(read_fd, ret_slots, most * sizeof(*ret_slots));

	return n > 0 ? (size_t)n / sizeof(*ret_slots) : 0;
}
