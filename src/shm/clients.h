/*
 * Who is connected to a worker: a segment of its own for each worker, which alone writes it. A
 * client has a slot for as long as it is connected; what is said of it besides its figures does
 * not change meanwhile. Readers (runstreamctl, the supervisor) map it read-only and take no lock.
 *
 * Clients are named "<worker, from 1>-<number>". Numbers of a worker count up and are never used
 * again, also by the worker that comes after one that died.
 */
#ifndef SHM_CLIENTS_H
#define SHM_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/registry.h"

enum {
	CLIENTS_CAPACITY_MAX = 1000000, /* server.max_clients_per_worker at its most */
	CLIENTS_KIND_BYTES = 15,        /* longest; what is longer is cut */
	CLIENTS_ADDRESS_BYTES = 47,     /* longest: an IPv6 address with some of its scope */
	CLIENTS_NAME_BYTES = 32,        /* "64-18446744073709551615" and a NUL */
};

#define CLIENTS_UNKNOWN UINT64_MAX

/* Each is right by itself, as of some moment in the last second or so. */
struct clients_figures {
	uint64_t bytes_sent, events_sent;   /* handed to the kernel */
	uint64_t bytes_behind, lines_behind; /* yet to be sent to it; CLIENTS_UNKNOWN */
	int64_t updated_ms;                  /* since the epoch */
};

/* A copy of one client, consistent in itself but for its figures. Strings are NUL-terminated. */
struct clients_client {
	uint64_t number;
	int64_t since_ms; /* since the epoch */
	char kind[CLIENTS_KIND_BYTES + 1];       /* "log", "all", …: what it streams */
	char address[CLIENTS_ADDRESS_BYTES + 1]; /* its own, as the web server has it; or "" */
	/* Of what, "" where it does not apply: a run, or a project and a task. With a run, the
	 * registry knows the others. */
	char run_id[REGISTRY_NAME_BYTES + 1];
	char project_id[REGISTRY_NAME_BYTES + 1];
	char task_id[REGISTRY_NAME_BYTES + 1];
	struct clients_figures figures;
};

struct clients;

/* Makes a segment for so many clients, sparse (memfd). Returns the descriptor or -errno. */
int clients_create(uint32_t capacity);
/* Maps it (borrows fd, which a writable one needs as long as it is open); writable for its owner
 * alone. 0 or -errno as registry_open(). Returns owned. */
int clients_open(int fd, bool writable, struct clients **ret_clients);
void clients_close(struct clients **clients);

uint32_t clients_capacity(const struct clients *clients);
/* Slots that were ever used: iterate 0 … count - 1 with clients_at(). */
uint32_t clients_count(const struct clients *clients);
/* Copies the client in a slot. 0; -ENOENT: nobody; -EAGAIN: it kept changing; -EPROTO: damaged. */
int clients_at(const struct clients *clients, uint32_t slot, struct clients_client *ret_client);
/* Whether there is a client of that number. */
bool clients_has(const struct clients *clients, uint64_t number);

/*
 * The owner's. Adds a client (its number and figures are not looked at: they begin with nothing
 * sent, and with behind unknown) and names its slot and number. -ENOSPC: full; other -errno.
 * What names a run names neither a project nor a task; texts that are too long are cut.
 */
int clients_add(struct clients *clients, const struct clients_client *client, uint32_t *ret_slot,
                uint64_t *ret_number);
/* slot: of a client that was added and not removed. */
void clients_update(struct clients *clients, uint32_t slot, const struct clients_figures *figures);
void clients_remove(struct clients *clients, uint32_t slot);
/* When the owner starts: forgets what a dead predecessor left, but for the last number. */
void clients_reset(struct clients *clients);

/* "2-17" for the client of number 17 of worker 2. */
void clients_name_format(uint32_t worker, uint64_t number, char ret_name[static CLIENTS_NAME_BYTES]);
/* 0, or -EINVAL for what is no such name. */
int clients_name_parse(const char *name, uint32_t *ret_worker, uint64_t *ret_number);

#endif
