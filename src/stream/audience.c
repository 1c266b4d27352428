#include "stream/audience.h"

#include "base/clock.h"
#include "base/must.h"

enum {
	/* What a delivery costs the web server, mostly: waking it for one client. Those who wait are
	 * woken again no sooner than it takes to serve them all, so that what comes faster is
	 * gathered into fewer writes; the first after a rest goes at once. */
	DELIVERY_NS = 8000,
	MOST_GATHER_NS = 20 * 1000 * 1000,
};

void
audience_init(struct audience *audience, struct loop *loop)
{
	*audience = (struct audience){ .loop = loop };
	TAILQ_INIT(&audience->streams);
}

void
audience_fini(struct audience *audience)
{
	must(audience->count == 0);
	loop_timer_stop(audience->loop, &audience->timer);
	loop_defer_cancel(audience->loop, &audience->task);
}

void
audience_join(struct audience *audience, struct stream *stream)
{
	must(!stream->audience);
	stream->audience = audience;
	TAILQ_INSERT_TAIL(&audience->streams, stream, entry);
	audience->count++;
}

void
audience_leave(struct stream *stream)
{
	struct audience *audience = stream->audience;

	if (!audience)
		return;
	TAILQ_REMOVE(&audience->streams, stream, entry);
	audience->count--;
	stream->audience = NULL;
}

static void
wake_now(void *arg)
{
	struct audience *audience = arg;
	unsigned count = audience->count;

	loop_timer_stop(audience->loop, &audience->timer);
	audience->woken_ns = clock_now_ns();
	/* Waking only queues them; but one that is woken may be a link to others, and join again. */
	for (; count > 0 && !TAILQ_EMPTY(&audience->streams); count--) {
		struct stream *stream = TAILQ_FIRST(&audience->streams);

		audience_leave(stream);
		stream->wake(stream->arg);
	}
}

void
audience_wake(struct audience *audience)
{
	int64_t gather_ns = (int64_t)audience->count * DELIVERY_NS, wait_ns;

	if (audience->count == 0 || loop_timer_is_set(&audience->timer))
		return;
	if (gather_ns > MOST_GATHER_NS)
		gather_ns = MOST_GATHER_NS;
	wait_ns = audience->woken_ns + gather_ns - clock_now_ns();
	if (wait_ns < 1000000)
		loop_defer(audience->loop, &audience->task, wake_now, audience);
	else
		loop_timer_set(audience->loop, &audience->timer, wait_ns / 1000000, wake_now, audience);
}
