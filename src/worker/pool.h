/* What a worker knows of the whole pool: who else serves how many clients of a run. */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include "shm/counters.h"
#include "shm/instance.h"
#include "shm/occupancy.h"

struct pool;

/* Maps the board and the segments of all workers; this one's own for writing, from zero.
 * Borrows the descriptors. 0 or -errno; returns owned. */
int pool_new(const struct instance *instance, struct pool **ret_pool);
void pool_free(struct pool **pool);

/* Clients on a run (slot in the registry), over all workers that are alive. */
uint32_t pool_clients_of_run(const struct pool *pool, uint32_t slot);
/* This worker's streams, and their change by +1 or -1. */
uint32_t pool_own_clients(const struct pool *pool);
void pool_change(struct pool *pool, uint32_t slot, int by);
/* This worker's counters, to be changed in place. */
struct counters_values *pool_counters(struct pool *pool);

#endif
