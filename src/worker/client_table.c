#include "worker/client_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "shm/clients.h"
#include "worker/connection.h"
#include "worker/worker_state.h"

enum {
	ROWS_A_TURN = 512,
	TURN_NS = 1000 * 1000,
	STUCK_MS = 1000, /* who took nothing for so long is not ended, but cut off */
};

struct client_table {
	struct worker *worker;
	struct clients *clients;
	struct connection **by_slot; /* a place for each of capacity; touched as far as used */
	uint32_t capacity;
	uint32_t next; /* slot, of the look that is under way */
	uint64_t slowest_bytes, slowest_lines; /* of this look, so far */
	struct loop_task task;
};

int
client_table_new(struct worker *worker, int clients_fd, struct client_table **ret_table)
{
	struct client_table *table = calloc(1, sizeof(*table));
	int error;

	if (!table)
		return -ENOMEM;
	table->worker = worker;
	error = clients_open(clients_fd, true, &table->clients);
	if (!error) {
		table->capacity = clients_capacity(table->clients);
		table->by_slot = calloc(table->capacity, sizeof(struct connection *));
		error = table->by_slot ? 0 : -ENOMEM;
	}
	if (error) {
		client_table_free(&table);
		return error;
	}
	clients_reset(table->clients);
	*ret_table = table;
	return 0;
}

void
client_table_free(struct client_table **table)
{
	if (!*table)
		return;
	if ((*table)->worker->loop)
		loop_defer_cancel((*table)->worker->loop, &(*table)->task);
	clients_close(&(*table)->clients);
	free((*table)->by_slot);
	free(*table);
	*table = NULL;
}

/* --- who ------------------------------------------------------------------------------------------- */

static void
put_text(char *to, size_t capacity, const char *text)
{
	snprintf(to, capacity, "%s", text ? text : "");
}

void
client_table_add(struct connection *c, const struct client_subject *subject)
{
	struct client_table *table = c->worker->clients;
	struct counters_values *counters = peers_counters(c->worker->peers);
	struct clients_client client = { .since_ms = clock_wall_ms() };

	c->row.is_stream = true;
	c->row.kind = (uint8_t)subject->kind;
	counters->clients[subject->kind]++;
	counters->streams_begun[subject->kind]++;
	put_text(client.kind, sizeof(client.kind), counters_set_stream_kinds.words[subject->kind]);
	put_text(client.address, sizeof(client.address), request_variable(c->request, "REMOTE_ADDR"));
	put_text(client.run_id, sizeof(client.run_id), subject->run_id);
	put_text(client.project_id, sizeof(client.project_id), subject->project_id);
	put_text(client.task_id, sizeof(client.task_id), subject->task_id);
	if (clients_add(table->clients, &client, &c->row.slot, &c->row.number) < 0) {
		/* Streams are more important than a list of them. */
		counters->clients_unlisted++;
		return;
	}
	table->by_slot[c->row.slot] = c;
}

void
client_table_note_end(struct connection *c, enum counters_endings how)
{
	if (c->row.is_stream && c->row.how == 0)
		c->row.how = (uint8_t)(how + 1);
}

/* One that had no place in the list has left no name. */
static void
log_end(const struct connection *c)
{
	struct clients_client client = { .number = 0 };
	char name[CLIENTS_NAME_BYTES] = "";
	int64_t lasted_ms = clock_wall_ms();

	if (c->row.number != 0 && clients_at(c->worker->clients->clients, c->row.slot, &client) == 0)
		clients_name_format(peers_own(c->worker->peers) + 1, client.number, name);
	lasted_ms = client.number != 0 ? lasted_ms - client.since_ms : 0;
	log_access("stream_ended",
	           "client=%s address=%s kind=%s run_id=%s project_id=%s task_id=%s how=%s status=%u "
	           "bytes=%ju lines=%ju lasted_ms=%jd", name, client.address,
	           counters_set_stream_kinds.words[c->row.kind], client.run_id, client.project_id,
	           client.task_id, counters_set_endings.words[c->row.how - 1], c->row.status,
	           (uintmax_t)c->row.bytes_sent, (uintmax_t)c->row.events_sent,
	           (intmax_t)(lasted_ms > 0 ? lasted_ms : 0));
}

void
client_table_remove(struct connection *c)
{
	struct client_table *table = c->worker->clients;
	struct counters_values *counters = peers_counters(c->worker->peers);

	if (!c->row.is_stream)
		return;
	client_table_note_end(c, COUNTERS_ENDED_CLIENT_GONE);
	counters->clients[c->row.kind]--;
	counters->streams_ended[c->row.how - 1]++;
	if (c->worker->settings.log.access)
		log_end(c);
	c->row.is_stream = false;
	if (c->row.number == 0)
		return;
	clients_remove(table->clients, c->row.slot);
	table->by_slot[c->row.slot] = NULL;
	c->row.number = 0;
}

bool
client_table_kick(struct client_table *table, uint64_t number)
{
	for (uint32_t slot = 0; slot < clients_count(table->clients); slot++) {
		struct connection *c = table->by_slot[slot];

		if (!c || c->row.number != number)
			continue;
		client_table_note_end(c, COUNTERS_ENDED_KICKED);
		/* One that takes nothing would not take its end either. */
		if (c->is_blocked &&
		    loop_now_ms(table->worker->loop) - c->sent_ms >= STUCK_MS)
			connection_free(c);
		else if (!c->is_ending)
			connection_end_stream(c);
		return true;
	}
	return false;
}

/* --- how far ---------------------------------------------------------------------------------------- */

static void
note_slowest(uint64_t *slowest, uint64_t behind)
{
	if (behind != CLIENTS_UNKNOWN && behind > *slowest)
		*slowest = behind;
}

static void
publish(struct client_table *table, const struct connection *c, int64_t wall_ms)
{
	struct clients_figures figures = { .bytes_sent = c->row.bytes_sent,
		                           .events_sent = c->row.events_sent,
		                           .bytes_behind = CLIENTS_UNKNOWN,
		                           .lines_behind = CLIENTS_UNKNOWN,
		                           .updated_ms = wall_ms };

	if (c->subscription) {
		struct stream_progress progress;

		stream_progress(c->subscription->stream, &progress);
		/* What was rendered and not taken has yet to reach it as well. */
		figures.bytes_behind = progress.bytes_behind + c->queue.queued_bytes;
		if (progress.has_lines && c->queue.queued_bytes == 0)
			figures.lines_behind = progress.lines_behind;
	}
	clients_update(table->clients, c->row.slot, &figures);
	note_slowest(&table->slowest_bytes, figures.bytes_behind);
	note_slowest(&table->slowest_lines, figures.lines_behind);
}

static void
refresh_some(void *arg)
{
	struct client_table *table = arg;
	uint32_t count = clients_count(table->clients);
	int64_t wall_ms = clock_wall_ms(), until_ns = clock_now_ns() + TURN_NS;
	bool is_late = false;

	/* Most are measured in no time; one that reads many runs may take some. */
	for (int i = 0; i < ROWS_A_TURN && table->next < count && !is_late; i++, table->next++) {
		const struct connection *c = table->by_slot[table->next];

		if (!c)
			continue;
		publish(table, c, wall_ms);
		is_late = clock_now_ns() >= until_ns;
	}
	if (table->next < count) {
		loop_defer(table->worker->loop, &table->task, refresh_some, table);
	} else {
		struct counters_values *counters = peers_counters(table->worker->peers);

		counters->slowest_client_bytes = table->slowest_bytes;
		counters->slowest_client_lines = table->slowest_lines;
	}
}

void
client_table_refresh(struct client_table *table)
{
	/* One that has not come to its end goes on. */
	if (table->task.queued)
		return;
	table->next = 0;
	table->slowest_bytes = table->slowest_lines = 0;
	refresh_some(table);
}
