/* An instance as its shared memory shows it, mapped read-only; nothing in it is trusted. */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/client.h"
#include "admin/command.h"
#include "shm/clients.h"
#include "shm/counters.h"
#include "shm/instance.h"
#include "shm/occupancy.h"
#include "shm/registry.h"

struct view {
	struct client_answer answer; /* of "status"; its descriptors are mapped */
	struct registry *registry, *buses;
	struct board *board;
	struct counters *discovery_counters, *supervisor_counters;
	uint32_t worker_count;
	struct {
		struct occupancy *occupancy;
		struct counters *counters;
		struct clients *clients;
	} workers[INSTANCE_WORKERS_MAX];
};

/*
 * Asks the instance and maps what it sends. 0 (the caller frees it with view_free()), or
 * COMMAND_FAILED after a message.
 */
int view_new(const char *runtime_dir, struct view **ret_view);

/*
 * The same of the instance that a call is about, by its settings, which go to ret_settings (the
 * caller frees them) unless it is NULL.
 */
int view_of_call(const struct call *call, struct settings *ret_settings, struct view **ret_view);

void view_free(struct view **view);

/* Whether a worker (from 0) is alive: what a dead one left behind does not count. */
bool view_worker_lives(const struct view *view, uint32_t worker);

/* Clients on a run, over the pool. */
uint64_t view_clients(const struct view *view, uint32_t slot);

#endif
