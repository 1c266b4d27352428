#include "shm/clients.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/must.h"
#include "base/num.h"
#include "shm/instance.h"
#include "shm/segment.h"

#define CLIENTS_MAGIC "RSclien\n"

enum {
	LAYOUT_VERSION = 1,
	/* A reader that meets a writer tries again: each time another client came in between. */
	TRIES = 100,
	STEP_BYTES = 16 * SEGMENT_PAGE_BYTES, /* reserved at a time */
};

/* In the order in which they lie in a slot. */
enum text { TEXT_KIND, TEXT_ADDRESS, TEXT_RUN, TEXT_PROJECT, TEXT_TASK, TEXTS };

static const size_t most_bytes[TEXTS] = { CLIENTS_KIND_BYTES, CLIENTS_ADDRESS_BYTES,
	                                  REGISTRY_NAME_BYTES, REGISTRY_NAME_BYTES,
	                                  REGISTRY_NAME_BYTES };

/* The first page; the slots follow. */
struct header {
	struct segment_prefix prefix;
	uint32_t capacity;
	uint32_t slot_count;  /* atomic: slots below it may be read */
	uint64_t last_number; /* atomic: the highest given so far */
	/* The writer's own, kept here for the next writer. */
	uint64_t reserved_bytes; /* of the slots */
	uint8_t padding[24];
};
static_assert(sizeof(struct header) == 64, "layout");

/* What does not change while a client has the slot. */
struct identity {
	int64_t since_ms;
	uint8_t length[TEXTS];
	uint8_t padding[3];
	char text[320]; /* one after another */
};
static_assert(sizeof(struct identity) == 336, "layout");
static_assert(CLIENTS_KIND_BYTES + CLIENTS_ADDRESS_BYTES + 2 * REGISTRY_NAME_BYTES <= 320,
              "a run, or a project and a task, fit");

/*
 * The number guards the identity: it is 0 while that is being written, and differs afterwards
 * from any it ever was. So a reader that finds the same number before and after has a whole copy,
 * and a writer killed in between leaves a slot that is free.
 */
struct slot {
	uint64_t number;     /* atomic; 0: free */
	uint64_t figures[5]; /* atomic, each for itself: struct clients_figures */
	union {
		struct identity identity;
		uint64_t words[sizeof(struct identity) / sizeof(uint64_t)];
	} u;
};
static_assert(sizeof(struct slot) == 384, "layout");
static_assert(sizeof(struct clients_figures) == 5 * sizeof(uint64_t), "layout");

struct clients {
	struct header *header;
	struct slot *slots;
	size_t bytes;
	uint32_t capacity;
	/* The writer's own. */
	int fd;
	uint32_t *free_slots; /* a stack of those that were used before */
	uint32_t free_count;
};

/* --- mapping ------------------------------------------------------------------------------------ */

int
clients_create(uint32_t capacity)
{
	struct header header = { .capacity = capacity };
	uint64_t pages = ((uint64_t)capacity * sizeof(struct slot) + SEGMENT_PAGE_BYTES - 1) /
	                 SEGMENT_PAGE_BYTES;
	int fd, error;

	if (capacity == 0 || capacity > CLIENTS_CAPACITY_MAX)
		return -EINVAL;
	fd = segment_create("runstream-clients", (1 + pages) * SEGMENT_PAGE_BYTES);
	if (fd < 0)
		return fd;
	error = segment_begin(fd, CLIENTS_MAGIC, LAYOUT_VERSION, &header, sizeof(header));
	if (error) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

int
clients_open(int fd, bool writable, struct clients **ret_clients)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	void *memory;
	int error;

	if (!clients)
		return -ENOMEM;
	error = segment_map(fd, writable, CLIENTS_MAGIC, LAYOUT_VERSION, SEGMENT_PAGE_BYTES, &memory,
	                    &clients->bytes);
	if (error) {
		free(clients);
		return error;
	}
	clients->fd = fd;
	clients->header = memory;
	clients->slots = (void *)((char *)memory + SEGMENT_PAGE_BYTES);
	clients->capacity = clients->header->capacity;
	if (clients->capacity == 0 || clients->capacity > CLIENTS_CAPACITY_MAX ||
	    clients->capacity > (clients->bytes - SEGMENT_PAGE_BYTES) / sizeof(struct slot)) {
		clients_close(&clients);
		return -EPROTO;
	}
	if (writable) {
		clients->free_slots = calloc(clients->capacity, sizeof(*clients->free_slots));
		if (!clients->free_slots) {
			clients_close(&clients);
			return -ENOMEM;
		}
	}
	*ret_clients = clients;
	return 0;
}

void
clients_close(struct clients **clients)
{
	if (!*clients)
		return;
	munmap((*clients)->header, (*clients)->bytes);
	free((*clients)->free_slots);
	free(*clients);
	*clients = NULL;
}

/* --- reading ------------------------------------------------------------------------------------ */

uint32_t
clients_capacity(const struct clients *clients)
{
	return clients->capacity;
}

uint32_t
clients_count(const struct clients *clients)
{
	uint32_t count = __atomic_load_n(&clients->header->slot_count, __ATOMIC_ACQUIRE);

	return count < clients->capacity ? count : clients->capacity;
}

/* False if the lengths cannot be: damaged. */
static bool
take_identity(const struct identity *identity, struct clients_client *client)
{
	char *const to[TEXTS] = { client->kind, client->address, client->run_id, client->project_id,
		                  client->task_id };
	size_t at = 0;

	for (int i = 0; i < TEXTS; i++) {
		size_t length = identity->length[i];

		if (length > most_bytes[i] || length > sizeof(identity->text) - at)
			return false;
		memcpy(to[i], identity->text + at, length);
		to[i][length] = '\0';
		at += length;
	}
	client->since_ms = identity->since_ms;
	return true;
}

int
clients_at(const struct clients *clients, uint32_t at, struct clients_client *ret_client)
{
	const struct slot *slot = &clients->slots[at];

	if (at >= clients_count(clients))
		return -ENOENT;
	for (int tries = 0; tries < TRIES; tries++) {
		struct clients_client client;
		union {
			struct clients_figures figures;
			uint64_t words[5];
		} figures;
		struct slot copy;

		client.number = __atomic_load_n(&slot->number, __ATOMIC_ACQUIRE);
		if (client.number == 0)
			return -ENOENT;
		/* Word by word: the writer may be at work there, and they are then thrown away. */
		for (size_t i = 0; i < sizeof(figures.words) / sizeof(figures.words[0]); i++)
			figures.words[i] = __atomic_load_n(&slot->figures[i], __ATOMIC_RELAXED);
		for (size_t i = 0; i < sizeof(copy.u.words) / sizeof(copy.u.words[0]); i++)
			copy.u.words[i] = __atomic_load_n(&slot->u.words[i], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&slot->number, __ATOMIC_RELAXED) != client.number)
			continue;
		if (!take_identity(&copy.u.identity, &client))
			return -EPROTO;
		client.figures = figures.figures;
		*ret_client = client;
		return 0;
	}
	return -EAGAIN;
}

bool
clients_has(const struct clients *clients, uint64_t number)
{
	uint32_t count = clients_count(clients);

	for (uint32_t i = 0; number != 0 && i < count; i++)
		if (__atomic_load_n(&clients->slots[i].number, __ATOMIC_RELAXED) == number)
			return true;
	return false;
}

/* --- writing ------------------------------------------------------------------------------------ */

static int
reserve(struct clients *clients, uint32_t slot)
{
	uint64_t needed = (slot + UINT64_C(1)) * sizeof(struct slot);
	uint64_t *reserved = &clients->header->reserved_bytes;
	uint64_t left = clients->bytes - SEGMENT_PAGE_BYTES - *reserved;
	uint64_t step = left < STEP_BYTES ? left : STEP_BYTES;
	int error;

	if (needed <= *reserved)
		return 0;
	error = segment_reserve(clients->fd, SEGMENT_PAGE_BYTES + *reserved, step);
	if (!error)
		*reserved += step;
	return error;
}

/* A slot for a client: one that was used before, or a new one. */
static int
take_slot(struct clients *clients, uint32_t *ret_slot)
{
	uint32_t count = clients_count(clients);
	int error;

	if (clients->free_count > 0) {
		*ret_slot = clients->free_slots[--clients->free_count];
		return 0;
	}
	if (count == clients->capacity)
		return -ENOSPC;
	error = reserve(clients, count);
	if (!error)
		*ret_slot = count;
	return error;
}

static void
put_identity(const struct clients_client *client, struct identity *identity)
{
	const char *const from[TEXTS] = { client->kind, client->address, client->run_id,
		                          client->project_id, client->task_id };
	bool has_run = client->run_id[0] != '\0';
	size_t at = 0;

	identity->since_ms = client->since_ms;
	for (int i = 0; i < TEXTS; i++) {
		size_t length = strnlen(from[i], most_bytes[i]);

		if (has_run && (i == TEXT_PROJECT || i == TEXT_TASK))
			length = 0;
		memcpy(identity->text + at, from[i], length);
		identity->length[i] = (uint8_t)length;
		at += length;
	}
}

int
clients_add(struct clients *clients, const struct clients_client *client, uint32_t *ret_slot,
            uint64_t *ret_number)
{
	const uint64_t figures[5] = { 0, 0, CLIENTS_UNKNOWN, CLIENTS_UNKNOWN,
		                      (uint64_t)client->since_ms };
	uint64_t number = clients->header->last_number + 1;
	struct slot *slot, next = { .number = 0 };
	uint32_t at;
	int error = take_slot(clients, &at);

	if (error)
		return error;
	put_identity(client, &next.u.identity);
	slot = &clients->slots[at];
	/* Used up before it is shown: whoever comes after us begins behind it. */
	__atomic_store_n(&clients->header->last_number, number, __ATOMIC_RELAXED);
	/* Who sees a word of what follows sees also that the slot was free before. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		__atomic_store_n(&slot->figures[i], figures[i], __ATOMIC_RELAXED);
	for (size_t i = 0; i < sizeof(next.u.words) / sizeof(next.u.words[0]); i++)
		__atomic_store_n(&slot->u.words[i], next.u.words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot->number, number, __ATOMIC_RELEASE);
	if (at >= clients_count(clients))
		__atomic_store_n(&clients->header->slot_count, at + 1, __ATOMIC_RELEASE);
	*ret_slot = at;
	*ret_number = number;
	return 0;
}

void
clients_update(struct clients *clients, uint32_t at, const struct clients_figures *figures)
{
	uint64_t words[5];

	must(at < clients->capacity);
	memcpy(words, figures, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		__atomic_store_n(&clients->slots[at].figures[i], words[i], __ATOMIC_RELAXED);
}

void
clients_remove(struct clients *clients, uint32_t at)
{
	must(at < clients->capacity && clients->free_count < clients->capacity);
	__atomic_store_n(&clients->slots[at].number, 0, __ATOMIC_RELAXED);
	clients->free_slots[clients->free_count++] = at;
}

void
clients_reset(struct clients *clients)
{
	clients->free_count = 0;
	/* From the end, so that the first are taken first. */
	for (uint32_t at = clients_count(clients); at-- > 0;)
		clients_remove(clients, at);
}

/* --- names -------------------------------------------------------------------------------------- */

void
clients_name_format(uint32_t worker, uint64_t number, char ret_name[static CLIENTS_NAME_BYTES])
{
	snprintf(ret_name, CLIENTS_NAME_BYTES, "%" PRIu32 "-%" PRIu64, worker, number);
}

int
clients_name_parse(const char *name, uint32_t *ret_worker, uint64_t *ret_number)
{
	const char *dash = strchr(name, '-');
	uint64_t worker, number;

	if (!dash || num_parse_u64(name, (size_t)(dash - name), &worker) ||
	    num_parse_u64(dash + 1, strlen(dash + 1), &number) || worker == 0 ||
	    worker > INSTANCE_WORKERS_MAX || number == 0)
		return -EINVAL;
	*ret_worker = (uint32_t)worker;
	*ret_number = number;
	return 0;
}
