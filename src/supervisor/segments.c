#include "supervisor/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "shm/bell.h"
#include "shm/clients.h"
#include "shm/counters.h"
#include "shm/occupancy.h"
#include "shm/registry_writer.h"

/* Takes fd, which may be an error, and opens it a second time, for reading only. */
static int
keep(int fd, struct segment_fds *ret_fds)
{
	char path[32];
	int readable;

	if (fd < 0)
		return fd;
	ret_fds->writable = fd;
	/* A memfd is born 0777; nobody else shall open it anew for writing. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	readable = open(path, O_RDONLY | O_CLOEXEC);
	if (readable < 0)
		return -errno;
	ret_fds->readable = readable;
	return 0;
}

static int
make_bell(int *ret_fd)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int
make_all(struct segments *segments, const struct settings *settings)
{
	uint32_t max_runs = (uint32_t)settings->storage.max_runs;
	uint32_t max_clients = (uint32_t)settings->server.max_clients_per_worker;
	int error = keep(registry_create(max_runs), &segments->registry);

	if (!error)
		error = keep(registry_create((uint32_t)settings->storage.max_buses),
		             &segments->buses);
	if (!error)
		error = keep(board_create(), &segments->board);
	if (!error)
		error = board_open(segments->board.writable, true, &segments->board_map);
	if (!error)
		error = keep(counters_create(), &segments->discovery_counters);
	if (!error)
		error = keep(counters_create(), &segments->supervisor_counters);
	if (!error)
		error = counters_open(segments->supervisor_counters.writable, true,
		                      &segments->own_counters);
	if (!error)
		error = bell_create(&segments->discovery_bell, &segments->discovery_ringer);
	for (uint32_t i = 0; !error && i < segments->worker_count; i++) {
		error = keep(occupancy_create(max_runs), &segments->occupancy[i]);
		if (!error)
			error = keep(counters_create(), &segments->counters[i]);
		if (!error)
			error = keep(clients_create(max_clients), &segments->clients[i]);
		if (!error)
			error = make_bell(&segments->worker_bells[i]);
	}
	return error;
}

int
segments_make(const struct settings *settings, uint32_t worker_count,
              struct segments *ret_segments, struct buf *sentence)
{
	struct segments segments = { .worker_count = worker_count };
	const struct segment_fds none = { -1, -1 };
	int error;

	segments.registry = segments.buses = segments.board = none;
	segments.discovery_counters = segments.supervisor_counters = none;
	segments.discovery_bell = segments.discovery_ringer = -1;
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++) {
		segments.occupancy[i] = segments.counters[i] = segments.clients[i] = none;
		segments.worker_bells[i] = -1;
	}
	error = make_all(&segments, settings);
	if (error) {
		buf_printf(sentence, "shared memory: %s", strerror(-error));
		segments_close(&segments);
		return error;
	}
	*ret_segments = segments;
	return 0;
}

static void
drop(struct segment_fds *fds)
{
	fd_close(&fds->writable);
	fd_close(&fds->readable);
}

void
segments_close(struct segments *segments)
{
	board_close(&segments->board_map);
	counters_close(&segments->own_counters);
	drop(&segments->registry);
	drop(&segments->buses);
	drop(&segments->board);
	drop(&segments->discovery_counters);
	drop(&segments->supervisor_counters);
	fd_close(&segments->discovery_bell);
	fd_close(&segments->discovery_ringer);
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++) {
		drop(&segments->occupancy[i]);
		drop(&segments->counters[i]);
		drop(&segments->clients[i]);
		fd_close(&segments->worker_bells[i]);
	}
}

void
segments_give(const struct segments *segments, uint32_t process, struct instance *instance)
{
	instance->registry_fd =
		process == 0 ? segments->registry.writable : segments->registry.readable;
	instance->buses_fd = process == 0 ? segments->buses.writable : segments->buses.readable;
	instance->board_fd = segments->board.readable;
	instance->discovery_counters_fd = process == 0 ? segments->discovery_counters.writable
	                                               : segments->discovery_counters.readable;
	instance->supervisor_counters_fd = segments->supervisor_counters.readable;
	instance->discovery_bell_fd =
		process == 0 ? segments->discovery_bell : segments->discovery_ringer;
	instance->worker_count = segments->worker_count;
	/* No other worker looks at who its clients are. */
	instance->clients_fd = process == 0 ? -1 : segments->clients[process - 1].writable;
	for (uint32_t i = 0; i < INSTANCE_WORKERS_MAX; i++) {
		bool is_own = process == i + 1;

		instance->occupancy_fds[i] =
			is_own ? segments->occupancy[i].writable : segments->occupancy[i].readable;
		instance->counters_fds[i] =
			is_own ? segments->counters[i].writable : segments->counters[i].readable;
		/* Discovery rings them all; a worker hears its own. */
		instance->worker_bell_fds[i] =
			is_own || process == 0 ? segments->worker_bells[i] : -1;
	}
}

int
segments_forget(const struct segments *segments, uint32_t worker)
{
	struct occupancy *occupancy;
	struct counters *counters;
	struct clients *clients;
	int error = occupancy_open(segments->occupancy[worker].writable, true, &occupancy);

	if (error)
		return error;
	occupancy_reset(occupancy);
	occupancy_close(&occupancy);
	error = clients_open(segments->clients[worker].writable, true, &clients);
	if (error)
		return error;
	clients_reset(clients);
	clients_close(&clients);
	error = counters_open(segments->counters[worker].writable, true, &counters);
	if (error)
		return error;
	counters_forget_gauges(counters_own(counters));
	counters_close(&counters);
	return 0;
}
