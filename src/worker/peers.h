/* What a worker knows of the whole pool: who else serves how many clients of a run. */
#ifndef WORKER_PEERS_H
#define WORKER_PEERS_H

#include "shm/counters.h"
#include "shm/instance.h"
#include "shm/occupancy.h"

struct peers;

/* Maps the board and the segments of all workers; this one's own for writing, from zero.
 * Borrows the descriptors. 0 or -errno; returns owned. */
int peers_new(const struct instance *instance, struct peers **ret_peers);
void peers_free(struct peers **peers);

/* Clients on a run (slot in the registry), over all workers that are alive. */
uint32_t peers_clients_of_run(const struct peers *peers, uint32_t slot);
/* Index of this worker. */
uint32_t peers_own(const struct peers *peers);
/* This worker's streams, and their change by +1 or -1. */
uint32_t peers_own_clients(const struct peers *peers);
void peers_change(struct peers *peers, uint32_t slot, int by);
/* This worker's counters, to be changed in place. */
struct counters_values *peers_counters(struct peers *peers);

/* How many workers there are to be, or still are: those with a higher number are not alive. */
uint32_t peers_count(const struct peers *peers);
/* Whether a worker (from 0) is alive; this one is. */
bool peers_lives(const struct peers *peers, uint32_t worker);
/* A copy of a worker's counters; those of a dead one are of its past. */
void peers_read_counters(const struct peers *peers, uint32_t worker,
                         struct counters_values *ret_values);
void peers_read_discovery(const struct peers *peers, struct counters_values *ret_values);
void peers_read_supervisor(const struct peers *peers, struct counters_values *ret_values);
/* Borrows it: which processes are alive, and how often they were restarted. */
const struct board *peers_board(const struct peers *peers);

#endif
