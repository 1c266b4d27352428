#include "supervisor/health.h"

#include <errno.h>

#include "base/clock.h"
#include "shm/pulse.h"

static void
hear(void *arg, uint32_t events)
{
	struct child *child = arg;
	struct pool *pool = child->owner;
	int got = pulse_receive(child->fd);

	(void)events;
	if (got == 1) {
		bool is_first = !child->is_up;

		child->pulse_ms = clock_now_ms();
		child->is_up = true;
		if (is_first && pool->parts.child_up)
			pool->parts.child_up(pool->parts.arg);
	} else if (got != -EAGAIN) {
		/* Its end is told by SIGCHLD. */
		health_unwatch(pool, child);
	}
}

int
health_watch(struct pool *pool, struct child *child)
{
	int error;

	child->is_up = false;
	child->pulse_ms = child->started_ms;
	error = loop_fd_add(pool->parts.loop, &child->pulse_watch, child->fd, EPOLLIN, hear, child);
	child->is_watched = !error;
	return error;
}

void
health_unwatch(struct pool *pool, struct child *child)
{
	if (child->is_watched)
		loop_fd_remove(pool->parts.loop, &child->pulse_watch);
	child->is_watched = false;
}

bool
health_all_are_up(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		const struct child *child = &pool->children[i];

		if (child->pid != 0 ? !child->is_up : loop_timer_is_set(&child->timer))
			return false;
	}
	return true;
}

int64_t
health_silent_ms(const struct child *child)
{
	return child->pid != 0 ? clock_now_ms() - child->pulse_ms : 0;
}
