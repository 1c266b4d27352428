#include "supervisor/pool_parts.h"

#include "shm/orders.h"
#include "supervisor/assignment.h"

enum { TELL_AGAIN_MS = 100 };

static void
tell_sockets(void *arg)
{
	struct pool *pool = arg;
	bool is_done = true;

	for (uint32_t i = 1; i < pool->count; i++) {
		struct child *child = &pool->children[i];
		struct buf message = BUF_INIT;
		int error;

		if (child->pid == 0 || child->told_set == child->listen_set)
			continue;
		orders_put_listen(&message, child->listen_set);
		error = pool_order(pool, i, &message);
		buf_fini(&message);
		if (error)
			is_done = false;
		else
			child->told_set = child->listen_set;
	}
	/* One that does not listen now will, or end. */
	if (!is_done)
		loop_timer_set(pool->parts.loop, &pool->tell_timer, TELL_AGAIN_MS, tell_sockets, pool);
}

void
pool_assign_sockets(struct pool *pool)
{
	uint64_t sets[INSTANCE_WORKERS_MAX], able = 0;
	uint32_t shown = 0;

	for (uint32_t i = 1; i < pool->count; i++) {
		const struct child *child = &pool->children[i];

		if (child->accepts)
			able |= (uint64_t)1 << (i - 1);
		if (child->pid != 0 || pool_wants(pool, child))
			shown = i;
	}
	board_set_workers(pool->parts.segments->board_map, shown);
	assignment_make(pool->count - 1, able, sets);
	for (uint32_t i = 1; i < pool->count; i++)
		pool->children[i].listen_set = sets[i - 1];
	tell_sockets(pool);
}

void
pool_set_accepts(struct pool *pool, struct child *child, bool accepts)
{
	child->accepts = accepts && child->process != BOARD_DISCOVERY;
	pool_assign_sockets(pool);
}
