#include "supervisor/pool_parts.h"

#include <errno.h>
#include <signal.h>

#include "base/log.h"

bool
pool_wants(const struct pool *pool, const struct child *child)
{
	return child->process <= (uint64_t)pool->parts.settings->server.workers;
}

/* In to_drain. */
static uint64_t
bit_of(const struct child *child)
{
	return (uint64_t)1 << (child->process - 1);
}

static void
kill_late(void *arg)
{
	struct child *child = arg;

	log_warning("child_killed", "process=%s child_pid=%d", child->name, (int)child->pid);
	kill(child->pid, SIGKILL);
}

/* Its sockets go to others, its streams end, and so does it; handle_end() says what then. */
static void
drain(struct pool *pool, struct child *child)
{
	if (child->pid == 0 || child->is_draining)
		return;
	log_info("child_draining", "process=%s child_pid=%d", child->name, (int)child->pid);
	child->is_draining = true;
	pool_set_accepts(pool, child, false);
	kill(child->pid, SIGTERM);
	loop_timer_set(pool->parts.loop, &child->timer,
	               pool->parts.settings->server.drain_ms + POOL_KILL_AFTER_MS, kill_late, child);
}

void
pool_drain_next(struct pool *pool)
{
	struct child *next = NULL;

	for (uint32_t i = 1; i < pool->count; i++) {
		struct child *child = &pool->children[i];

		if (!pool_wants(pool, child)) {
			pool->to_drain &= ~bit_of(child);
			continue;
		}
		if (child->pid == 0 || child->is_draining)
			return;
		if (!next && pool->to_drain & bit_of(child))
			next = child;
	}
	if (!next)
		return;
	pool->to_drain &= ~bit_of(next);
	drain(pool, next);
}

int
pool_drain(struct pool *pool, uint32_t worker)
{
	if (pool->is_stopping)
		return -ESHUTDOWN;
	if (worker >= pool->count || !pool_wants(pool, &pool->children[worker]))
		return -ENOENT;
	for (uint32_t i = 1; i < pool->count; i++)
		if (worker == POOL_ALL_WORKERS || i == worker)
			pool->to_drain |= bit_of(&pool->children[i]);
	pool_drain_next(pool);
	return 0;
}

void
pool_resize(struct pool *pool)
{
	if (pool->is_stopping)
		return;
	for (uint32_t i = 1; i < pool->count; i++) {
		struct child *child = &pool->children[i];

		if (!pool_wants(pool, child)) {
			if (child->pid == 0)
				loop_timer_stop(pool->parts.loop, &child->timer);
			child->accepts = false;
			drain(pool, child);
		} else if (child->pid == 0 && !loop_timer_is_set(&child->timer)) {
			pool_start_or_wait(child);
		}
	}
	pool_assign_sockets(pool);
}
