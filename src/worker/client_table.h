/*
 * This worker's clients, as shm/clients.h lists them for runstreamctl: each stream from the
 * request on until its connection is closed. What was sent to a client is counted where it is sent; how far behind it
 * is, is looked at once a second, a bounded number of clients in each turn of the loop.
 */
#ifndef WORKER_CLIENT_TABLE_H
#define WORKER_CLIENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/counters.h"

struct client_table;
struct connection;
struct worker;

/* Embedded in each connection, zero-initialised. */
struct client_row {
	uint64_t number; /* 0: not listed */
	uint32_t slot;
	bool is_stream;     /* it is counted, listed or not */
	uint8_t kind;       /* enum counters_stream_kinds */
	uint16_t status;    /* of HTTP, as it was answered; 0: not yet */
	uint8_t how;        /* enum counters_endings + 1: how it ended; 0: it has not */
	uint64_t bytes_sent, events_sent; /* of the connection: whoever sends adds */
};

/* What a client streams; texts are borrowed, and "" (or NULL) where they do not apply. */
struct client_subject {
	enum counters_stream_kinds kind;
	const char *run_id, *project_id, *task_id;
};

/* Maps the segment, and lists nobody. Borrows clients_fd. 0 or -errno; returns owned. */
int client_table_new(struct worker *worker, int clients_fd, struct client_table **ret_table);
/* All connections must be gone. */
void client_table_free(struct client_table **table);

/* Lists a connection, whose request is still there. Where there is no place for it, it is not
 * listed, and counted instead. */
void client_table_add(struct connection *c, const struct client_subject *subject);
/* Says how its stream ended: what is said first holds, COUNTERS_ENDED_CLIENT_GONE if nothing was.
 * Takes a connection that is no stream. */
void client_table_note_end(struct connection *c, enum counters_endings how);
/* Takes one that is not listed. */
void client_table_remove(struct connection *c);

/* Publishes the figures of all, over the next turns: to be called once a second. */
void client_table_refresh(struct client_table *table);

/* Ends the stream of the client of that number. False: there is none (any more). */
bool client_table_kick(struct client_table *table, uint64_t number);

#endif
