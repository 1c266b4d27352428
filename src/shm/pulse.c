#include "shm/pulse.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { TAKEN_AT_ONCE = 64 };

static void
beat(void *arg)
{
	struct pulse *pulse = arg;

	/* Whether anybody listens is not our concern. */
	(void)!send(pulse->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	loop_timer_set(pulse->loop, &pulse->timer, PULSE_INTERVAL_MS, beat, pulse);
}

void
pulse_begin(struct pulse *pulse, struct loop *loop, int supervisor_fd)
{
	pulse->loop = loop;
	pulse->fd = supervisor_fd;
	beat(pulse);
}

void
pulse_end(struct pulse *pulse)
{
	if (pulse->loop)
		loop_timer_stop(pulse->loop, &pulse->timer);
}

int
pulse_receive(int fd)
{
	bool came = false;

	for (int i = 0; i < TAKEN_AT_ONCE; i++) {
		char byte;
		ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return came ? 1 : -errno;
		came = true;
	}
	return 1;
}
