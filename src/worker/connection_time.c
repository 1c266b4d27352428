#include "worker/connection_parts.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "model/event.h"
#include "worker/worker_state.h"

/* Looks at one that may take nothing, in each client_timeout_s. */
enum { LOOKS_A_TIMEOUT = 4 };

static const struct settings *
settings_of(const struct connection *c)
{
	return &c->worker->settings;
}

static void
send_heartbeat(struct connection *c)
{
	struct buf text = BUF_INIT;
	struct block *block;

	event_put_heartbeat(&text);
	block = block_take(&text);
	if (block && send_queue_has_room(&c->queue))
		send_queue_add(&c->queue, block);
	else
		block_unref(&block);
	connection_ready(c);
}

int
connection_unread_bytes(const struct connection *c)
{
	int bytes = 0;

	return ioctl(c->watch.fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

static void
note_progress(struct connection *c)
{
	int bytes = connection_unread_bytes(c);

	if (bytes < c->unread_bytes)
		c->sent_ms = loop_now_ms(c->worker->loop);
	c->unread_bytes = bytes;
}

static int64_t
due_ms(const struct connection *c)
{
	int64_t due;

	if (c->request || connection_awaits_body(c))
		return c->sent_ms + settings_of(c)->server.request_timeout_ms;
	if (c->is_blocked || c->is_ending || !c->is_opened)
		due = c->sent_ms + settings_of(c)->api.sse.client_timeout_s * 1000;
	else
		due = c->sent_ms + settings_of(c)->api.sse.heartbeat_interval_s * 1000;
	return c->ends_ms > 0 && c->ends_ms < due ? c->ends_ms : due;
}

static void
on_time(void *arg)
{
	struct connection *c = arg;
	int64_t now_ms = loop_now_ms(c->worker->loop);

	if (c->is_blocked)
		note_progress(c);
	if (now_ms >= due_ms(c)) {
		if (c->ends_ms > 0 && now_ms >= c->ends_ms) {
			c->ends_ms = 0;
			/* One that is at its end may have sent half of it already. */
			if (!c->is_ending) {
				client_table_note_end(c, COUNTERS_ENDED_DRAINED);
				connection_end_stream(c);
				return;
			}
		} else if (c->request || connection_awaits_body(c)) {
			peers_counters(c->worker->peers)->requests_bad++;
			connection_free(c);
			return;
		} else if (c->is_blocked || c->is_ending || !c->is_opened) {
			client_table_note_end(c, COUNTERS_ENDED_TIMEOUT);
			connection_free(c);
			return;
		} else {
			send_heartbeat(c);
			c->sent_ms = now_ms;
		}
	}
	connection_set_timer(c);
}

void
connection_set_timer(struct connection *c)
{
	int64_t now_ms = loop_now_ms(c->worker->loop), delay_ms;
	int64_t most_ms = settings_of(c)->api.sse.client_timeout_s * 1000 / LOOKS_A_TIMEOUT;

	if (c->sent_ms == 0)
		c->sent_ms = now_ms;
	delay_ms = due_ms(c) - now_ms;
	loop_timer_set(c->worker->loop, &c->timer, delay_ms < most_ms ? delay_ms : most_ms, on_time, c);
}

void
connection_drain(struct connection *c, int64_t delay_ms)
{
	if (c->is_ending || (c->pending && c->pending->outlasts_drain))
		return;
	if (c->request)
		return; /* still asking: it is told then */
	c->ends_ms = loop_now_ms(c->worker->loop) + (delay_ms > 0 ? delay_ms : 0);
	connection_set_timer(c);
}
