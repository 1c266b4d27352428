#include "worker/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pool {
	uint32_t own; /* index of this worker */
	uint32_t worker_count;
	struct board *board;
	struct occupancy *occupancies[INSTANCE_WORKERS_MAX];
	struct counters *counters;
};

int
pool_new(const struct instance *instance, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int error;

	if (!pool)
		return -ENOMEM;
	pool->own = instance->worker_index;
	pool->worker_count = instance->worker_count;
	error = board_open(instance->board_fd, false, &pool->board);
	for (uint32_t i = 0; i < pool->worker_count && !error; i++)
		error = occupancy_open(instance->occupancy_fds[i], i == pool->own,
		                       &pool->occupancies[i]);
	if (!error)
		error = counters_open(instance->counters_fds[pool->own], true, &pool->counters);
	if (error) {
		pool_free(&pool);
		return error;
	}
	occupancy_reset(pool->occupancies[pool->own]);
	memset(counters_own(pool->counters), 0, sizeof(struct counters_values));
	*ret_pool = pool;
	return 0;
}

void
pool_free(struct pool **pool)
{
	if (!*pool)
		return;
	for (uint32_t i = 0; i < (*pool)->worker_count; i++)
		occupancy_close(&(*pool)->occupancies[i]);
	counters_close(&(*pool)->counters);
	board_close(&(*pool)->board);
	free(*pool);
	*pool = NULL;
}

uint32_t
pool_clients_of_run(const struct pool *pool, uint32_t slot)
{
	uint32_t clients = 0;

	for (uint32_t i = 0; i < pool->worker_count; i++)
		if (i == pool->own || board_pid(pool->board, i + 1) > 0)
			clients += occupancy_of_run(pool->occupancies[i], slot);
	return clients;
}

uint32_t
pool_own_clients(const struct pool *pool)
{
	return occupancy_total(pool->occupancies[pool->own]);
}

void
pool_change(struct pool *pool, uint32_t slot, int by)
{
	occupancy_change(pool->occupancies[pool->own], slot, by);
	pool_counters(pool)->clients = occupancy_total(pool->occupancies[pool->own]);
}

struct counters_values *
pool_counters(struct pool *pool)
{
	return counters_own(pool->counters);
}
