#include "worker/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peers {
	uint32_t own; /* index of this worker */
	uint32_t worker_count;
	struct board *board;
	struct occupancy *occupancies[INSTANCE_WORKERS_MAX];
	struct counters *counters[INSTANCE_WORKERS_MAX];
	struct counters *discovery_counters, *supervisor_counters;
};

int
peers_new(const struct instance *instance, struct peers **ret_peers)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	int error;

	if (!peers)
		return -ENOMEM;
	peers->own = instance->worker_index;
	peers->worker_count = instance->worker_count;
	error = board_open(instance->board_fd, false, &peers->board);
	if (!error)
		error = counters_open(instance->discovery_counters_fd, false,
		                      &peers->discovery_counters);
	if (!error)
		error = counters_open(instance->supervisor_counters_fd, false,
		                      &peers->supervisor_counters);
	for (uint32_t i = 0; i < peers->worker_count && !error; i++) {
		error = occupancy_open(instance->occupancy_fds[i], i == peers->own,
		                       &peers->occupancies[i]);
		if (!error)
			error = counters_open(instance->counters_fds[i], i == peers->own,
			                      &peers->counters[i]);
	}
	if (error) {
		peers_free(&peers);
		return error;
	}
	occupancy_reset(peers->occupancies[peers->own]);
	memset(peers_counters(peers), 0, sizeof(struct counters_values));
	*ret_peers = peers;
	return 0;
}

void
peers_free(struct peers **peers)
{
	if (!*peers)
		return;
	for (uint32_t i = 0; i < (*peers)->worker_count; i++) {
		occupancy_close(&(*peers)->occupancies[i]);
		counters_close(&(*peers)->counters[i]);
	}
	counters_close(&(*peers)->supervisor_counters);
	counters_close(&(*peers)->discovery_counters);
	board_close(&(*peers)->board);
	free(*peers);
	*peers = NULL;
}

uint32_t
peers_clients_of_run(const struct peers *peers, uint32_t slot)
{
	uint32_t clients = 0;

	for (uint32_t i = 0; i < peers->worker_count; i++)
		if (peers_lives(peers, i))
			clients += occupancy_of_run(peers->occupancies[i], slot);
	return clients;
}

uint32_t
peers_own(const struct peers *peers)
{
	return peers->own;
}

uint32_t
peers_own_clients(const struct peers *peers)
{
	return occupancy_total(peers->occupancies[peers->own]);
}

void
peers_change(struct peers *peers, uint32_t slot, int by)
{
	occupancy_change(peers->occupancies[peers->own], slot, by);
}

struct counters_values *
peers_counters(struct peers *peers)
{
	return counters_own(peers->counters[peers->own]);
}

uint32_t
peers_count(const struct peers *peers)
{
	uint32_t count = board_workers(peers->board);

	return count < peers->worker_count ? count : peers->worker_count;
}

bool
peers_lives(const struct peers *peers, uint32_t worker)
{
	return worker == peers->own || board_pid(peers->board, worker + 1) > 0;
}

void
peers_read_counters(const struct peers *peers, uint32_t worker, struct counters_values *ret_values)
{
	counters_read(peers->counters[worker], ret_values);
}

void
peers_read_discovery(const struct peers *peers, struct counters_values *ret_values)
{
	counters_read(peers->discovery_counters, ret_values);
}

void
peers_read_supervisor(const struct peers *peers, struct counters_values *ret_values)
{
	counters_read(peers->supervisor_counters, ret_values);
}

const struct board *
peers_board(const struct peers *peers)
{
	return peers->board;
}
