/*
 * How many clients each run has: a segment of its own for each worker, which alone writes it,
 * indexed by the run's slot in the registry. The pool's number is the sum over workers that are
 * alive (instance.h), so a worker that died takes its clients with it.
 */
#ifndef SHM_OCCUPANCY_H
#define SHM_OCCUPANCY_H

#include <stdbool.h>
#include <stdint.h>

struct occupancy;

/* Makes a segment for run_capacity runs, sparse (memfd). Returns the descriptor or -errno. */
int occupancy_create(uint32_t run_capacity);
/* Maps it (borrows fd, which a writable one needs as long as it is open); writable for its owner
 * alone. 0 or -errno as registry_open(). Returns owned. */
int occupancy_open(int fd, bool writable, struct occupancy **ret_occupancy);
void occupancy_close(struct occupancy **occupancy);

/* Of this worker: clients on a run, and in all. Slots out of range count 0 and are ignored. */
uint32_t occupancy_of_run(const struct occupancy *occupancy, uint32_t slot);
uint32_t occupancy_total(const struct occupancy *occupancy);
/* The owner's: by is +1 or -1. slot UINT32_MAX: a stream of no single run. A count that there
 * is no memory for stays 0; none falls below 0. */
void occupancy_change(struct occupancy *occupancy, uint32_t slot, int by);
/* The owner's, when it starts: forgets what a dead predecessor left. */
void occupancy_reset(struct occupancy *occupancy);

#endif
