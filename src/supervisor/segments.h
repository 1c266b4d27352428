/*
 * The shared memory and the bells of an instance. All of it is memfds and eventfds: when the
 * last process has ended, nothing is left.
 */
#ifndef SUPERVISOR_SEGMENTS_H
#define SUPERVISOR_SEGMENTS_H

#include <stdint.h>

#include "base/buf.h"
#include "conf/settings.h"
#include "shm/instance.h"

/* A segment: for its one writer, and for everybody else. */
struct segment_fds {
	int writable, readable;
};

struct segments {
	uint32_t worker_count; /* places for workers */
	struct segment_fds registry, buses, board;
	struct segment_fds discovery_counters, supervisor_counters;
	struct segment_fds occupancy[INSTANCE_WORKERS_MAX], counters[INSTANCE_WORKERS_MAX];
	struct segment_fds clients[INSTANCE_WORKERS_MAX];
	int discovery_bell, discovery_ringer; /* the ends of bell.h */
	int worker_bells[INSTANCE_WORKERS_MAX];
	struct board *board_map; /* we are its writer */
	struct counters *own_counters; /* the supervisor's */
};

/* For so many workers, as large as the settings say: storage.max_runs, … 0, or -errno and a
 * sentence. */
int segments_make(const struct settings *settings, uint32_t worker_count,
                  struct segments *ret_segments, struct buf *sentence);
void segments_close(struct segments *segments);

/* Puts into instance what process (board numbers: 0 is discovery, n worker n) may have. */
void segments_give(const struct segments *segments, uint32_t process, struct instance *instance);

/* Forgets the clients and gauges that a worker left when it died. worker from 0. 0 or -errno. */
int segments_forget(const struct segments *segments, uint32_t worker);

#endif
