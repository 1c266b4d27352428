#include "worker/connection_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "model/event.h"
#include "worker/body.h"
#include "worker/worker_state.h"

enum {
	/* What one connection may send before others have their turn. */
	SERVE_BYTES = 256 * 1024,
	/* The kernel's share of what is on its way: enough for nginx to have work, little enough
	 * that thousands of stuck clients fit. */
	SOCKET_BYTES = 64 * 1024,
	/* Slices of a file in which there was nothing to send. */
	PASSES_A_TURN = 16,
	/* One for whom there was no room for so long is slow. */
	SLOW_MS = 1000,
};

static const struct settings *
settings_of(const struct connection *c)
{
	return &c->worker->settings;
}

static void
on_events(void *arg, uint32_t events)
{
	struct connection *c = arg;
	bool awaited_body;

	if (c->request) {
		connection_read_request(c);
		return;
	}
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
		connection_free(c);
		return;
	}
	awaited_body = connection_awaits_body(c);
	if (events & EPOLLIN && (!connection_read_rest(c) || (awaited_body && c->input.is_over))) {
		connection_free(c);
		return;
	}
	if (events & EPOLLOUT) {
		if (c->is_blocked) {
			c->is_blocked = false;
			c->queue.is_for_slow =
				loop_now_ms(c->worker->loop) - c->sent_ms >= SLOW_MS;
			connection_ready(c);
		} else {
			/* Disarmed only once it fires for nothing: a busy stream keeps it. */
			if (!c->is_ready)
				loop_fd_change(c->worker->loop, &c->watch, EPOLLIN | EPOLLRDHUP);
		}
	}
}

/* --- life --------------------------------------------------------------------------------------------- */

struct connection *
connection_new(struct worker *worker, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	int size = SOCKET_BYTES;

	if (c)
		c->request = request_new();
	if (!c || !c->request ||
	    loop_fd_add(worker->loop, &c->watch, fd, EPOLLIN | EPOLLRDHUP, on_events, c) < 0) {
		if (c)
			request_free(&c->request);
		free(c);
		fd_close(&fd);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->worker = worker;
	c->style.headers = "";
	TAILQ_INSERT_TAIL(&worker->connections, c, entry);
	worker->connection_count++;
	connection_set_timer(c);
	return c;
}

/* Gives up all that the connection was to be answered with. */
static void
withdraw(struct connection *c)
{
	subscription_free(&c->subscription);
	if (c->pending)
		c->pending->drop(c->pending);
	c->pending = NULL;
	if (c->body)
		body_fini(c->body);
	free(c->body);
	c->body = NULL;
}

void
connection_free(struct connection *c)
{
	struct worker *worker = c->worker;
	int fd = c->watch.fd;

	client_table_remove(c);
	send_queue_fini(&c->queue);
	withdraw(c);
	request_free(&c->request);
	free(c->style_headers);
	loop_timer_stop(worker->loop, &c->timer);
	loop_fd_remove(worker->loop, &c->watch);
	fd_close(&fd);
	if (c->is_ready)
		TAILQ_REMOVE(&worker->ready, c, ready_entry);
	TAILQ_REMOVE(&worker->connections, c, entry);
	worker->connection_count--;
	free(c);
	worker_connection_closed(worker);
}

/* Frees it only without memory for the answer that takes the place of headers not sent. */
void
connection_end_stream(struct connection *c)
{
	if (!c->is_opened) {
		/* An end without headers would be the web server's 502; with 503 it asks the next. */
		connection_answer(c, answer_error(&c->style, ANSWER_UNAVAILABLE, "the worker cannot serve this now",
		                                  NULL, NULL, 1));
		return;
	}
	withdraw(c);
	c->is_ending = true;
	send_queue_finish(&c->queue);
	connection_ready(c);
	connection_set_timer(c);
}

/* --- output -------------------------------------------------------------------------------------------------- */

void
connection_ready(struct connection *c)
{
	if (c->is_ready || c->is_blocked)
		return;
	c->is_ready = true;
	TAILQ_INSERT_TAIL(&c->worker->ready, c, ready_entry);
	worker_serve_soon(c->worker);
}

/* What begins an answer says it: answer.c. */
static void
note_status(struct connection *c, const struct block *block)
{
	static const char head[] = "Status: ";

	if (c->row.status == 0 && block->length_bytes > sizeof(head) + 3 &&
	    memcmp(block->text, head, sizeof(head) - 1) == 0)
		c->row.status = (uint16_t)strtoul(block->text + sizeof(head) - 1, NULL, 10);
}

void
connection_answer(struct connection *c, struct block *block)
{
	if (!block) {
		connection_free(c);
		return;
	}
	client_table_note_end(c, COUNTERS_ENDED_REFUSED); /* it was to be a stream */
	withdraw(c);
	request_free(&c->request);
	c->is_opened = true;
	c->is_ending = true;
	note_status(c, block);
	send_queue_add(&c->queue, block);
	send_queue_finish(&c->queue);
	connection_ready(c);
	connection_set_timer(c);
}

static bool
open_now(struct connection *c)
{
	int64_t retry_ms = settings_of(c)->api.sse.retry_ms;
	struct block *block;
	uint32_t jitter = 0;

	/* Between half and one and a half of it: clients that were cut off together come back apart.
	 * Without randomness they just come together. */
	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) != (ssize_t)sizeof(jitter))
		jitter = UINT32_MAX / 2;
	retry_ms = retry_ms / 2 + (int64_t)(jitter % (uint64_t)(retry_ms + 1));
	block = answer_stream(&c->style, retry_ms);
	if (!block)
		return false;
	c->is_opened = true;
	note_status(c, block);
	send_queue_add(&c->queue, block);
	connection_set_timer(c); /* it may have waited for longer than it is to be silent */
	return true;
}

bool
connection_open_stream(struct connection *c, bool may_be_over)
{
	request_free(&c->request);
	if (!may_be_over && !open_now(c)) {
		connection_free(c);
		return false;
	}
	connection_set_timer(c);
	connection_ready(c);
	return true;
}

static void
wake(void *arg)
{
	connection_ready(arg);
}

static void
go_on(struct connection *c, int error)
{
	if (error) {
		client_table_note_end(c, COUNTERS_ENDED_FAILED);
		connection_end_stream(c);
	} else {
		connection_ready(c);
	}
}

void
connection_subscribe(struct connection *c, const struct channel_request *request,
                     const struct start *start)
{
	go_on(c, subscription_new(c->worker->hub, request, start, wake, c, &c->subscription));
}

void
connection_subscribe_to_many(struct connection *c, const struct feed_request *request)
{
	go_on(c, subscription_new_of_many(c->worker->hub, request, wake, c, &c->subscription));
}

/* It is over by itself. */
static enum counters_endings
how_it_ended(const struct connection *c)
{
	struct registry_run run;

	if (!c->is_opened)
		return COUNTERS_ENDED_FAILED;
	if (c->subscription->slot != SUBSCRIPTION_MANY &&
	    registry_at(c->worker->registry, c->subscription->slot, &run) == 0 && run.is_deleted)
		return COUNTERS_ENDED_GONE;
	return COUNTERS_ENDED_COMPLETE;
}

/* Asks the subscription until enough is queued. */
static bool
fill(struct connection *c)
{
	int passed_over = 0;

	while (c->subscription && !subscription_is_waiting(c->subscription) &&
	       send_queue_has_room(&c->queue)) {
		struct block *block = NULL;

		switch (subscription_next(c->subscription, &block)) {
		case STREAM_BLOCK:
			if (block->length_bytes == 0) {
				/* Something was passed over: more may be, and others have their turn. */
				block_unref(&block);
				if (++passed_over < PASSES_A_TURN)
					break;
				connection_ready(c);
				return true;
			}
			/* Where the headers had to wait, nothing is queued yet. */
			if (!c->is_opened && !open_now(c)) {
				block_unref(&block);
				return false;
			}
			send_queue_add(&c->queue, block);
			break;
		case STREAM_WAIT:
			return true;
		case STREAM_NOTHING_MORE:
			client_table_note_end(c, COUNTERS_ENDED_NOTHING_MORE);
			if (c->is_opened) {
				/* It waited for the run in a stream that began with 200: its next
				 * try gets the 204. */
				connection_end_stream(c);
				return true;
			}
			block = answer_nothing_more(&c->style);
			if (!block)
				return false;
			note_status(c, block);
			send_queue_add(&c->queue, block);
			c->is_opened = true;
			connection_end_stream(c);
			return true;
		case STREAM_END:
			client_table_note_end(c, how_it_ended(c));
			if (!c->is_opened)
				return false; /* it could not even begin */
			connection_end_stream(c);
			return true;
		}
	}
	return true;
}

void
connection_serve(struct connection *c)
{
	struct counters_values *counters = peers_counters(c->worker->peers);
	int64_t total = 0;

	while (total < SERVE_BYTES) {
		struct send_queue_sent sent = { .events = 0 };
		int64_t n;

		if (!fill(c)) {
			client_table_note_end(c, COUNTERS_ENDED_FAILED);
			connection_free(c);
			return;
		}
		if (send_queue_is_empty(&c->queue)) {
			if (connection_awaits_body(c))
				connection_set_timer(c);
			else if (c->is_ending)
				connection_free(c);
			return;
		}
		n = send_queue_send(&c->queue, c->watch.fd, &sent);
		if (n < 0) {
			connection_free(c);
			return;
		}
		if (n > 0)
			c->sent_ms = loop_now_ms(c->worker->loop);
		counters->bytes_sent += (uint64_t)n;
		counters->lines_sent += sent.events;
		c->row.bytes_sent += (uint64_t)n;
		c->row.events_sent += sent.events;
		if (sent.appended_us != 0)
			counters_observe(&counters->append_to_send_us,
			                 clock_wall_us() - sent.appended_us);
		total += n;
		if (c->queue.is_full) {
			c->is_blocked = true;
			c->unread_bytes = connection_unread_bytes(c);
			/* Edge-triggered: told once when there is room, not at each turn until served. */
			if (loop_fd_change(c->worker->loop, &c->watch,
			                   EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLET) < 0)
				connection_free(c);
			return;
		}
	}
	connection_ready(c);
}
