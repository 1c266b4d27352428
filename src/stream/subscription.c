#include "stream/subscription.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "stream/subscriber.h"

static int
new_subscription(struct hub *hub, const struct stream_kind *kind, uint32_t slot, stream_wake_fn *wake,
                 void *arg, struct subscription **ret_subscription)
{
	struct subscription *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->hub = hub;
	s->kind = kind;
	s->slot = slot;
	s->announced = hub->announcement_count;
	s->wake = wake;
	s->arg = arg;
	*ret_subscription = s;
	return 0;
}

/* With its stream, it is one. */
static int
register_it(struct subscription *s, int error, struct subscription **ret_subscription)
{
	if (error) {
		free(s);
		return error;
	}
	TAILQ_INSERT_TAIL(&s->hub->subscriptions, s, entry);
	if (s->hub->count)
		s->hub->count(s->hub->count_arg, s->slot, +1);
	*ret_subscription = s;
	return 0;
}

int
subscription_new(struct hub *hub, const struct channel_request *request, const struct start *start,
                 stream_wake_fn *wake, void *arg, struct subscription **ret_subscription)
{
	uint32_t slot = request->kind->is_of_bus ? SUBSCRIPTION_MANY : request->run->slot;
	struct subscription *s;
	int error = new_subscription(hub, request->kind, slot, wake, arg, &s);

	if (error)
		return error;
	error = subscriber_new(hub, request, start, wake, arg, &s->stream);
	return register_it(s, error, ret_subscription);
}

int
subscription_new_of_many(struct hub *hub, const struct feed_request *request, stream_wake_fn *wake,
                         void *arg, struct subscription **ret_subscription)
{
	struct subscription *s;
	int error = new_subscription(hub, request->kind, SUBSCRIPTION_MANY, wake, arg, &s);

	if (error)
		return error;
	s->has_begun = true; /* which is never over, and may have nothing to give for long */
	error = feed_subscribe(hub, request, wake, arg, &s->stream);
	return register_it(s, error, ret_subscription);
}

void
subscription_free(struct subscription **subscription)
{
	struct subscription *s = *subscription;

	*subscription = NULL;
	if (!s)
		return;
	TAILQ_REMOVE(&s->hub->subscriptions, s, entry);
	if (s->hub->count)
		s->hub->count(s->hub->count_arg, s->slot, -1);
	stream_free(&s->stream);
	free(s);
}

/* --- announcements ---------------------------------------------------------------------------------------- */

static bool
is_for(const struct subscription *s, const struct announcement *a)
{
	return s->kind->is_of_events &&
	       (a->slot == SUBSCRIPTION_MANY || s->slot == SUBSCRIPTION_MANY || s->slot == a->slot);
}

/* The next that is for it, or NULL; passes over those that are not. */
static const struct announcement *
find_announcement(struct subscription *s)
{
	const struct hub *hub = s->hub;

	if (!s->has_begun)
		return NULL; /* not before the stream has: the client may be told that it is over */
	if (hub->announcement_count - s->announced > HUB_ANNOUNCEMENTS)
		s->announced = hub->announcement_count - HUB_ANNOUNCEMENTS;
	for (; s->announced < hub->announcement_count; s->announced++) {
		const struct announcement *a = &hub->announcements[s->announced % HUB_ANNOUNCEMENTS];

		if (is_for(s, a))
			return a;
	}
	return NULL;
}

void
subscription_broadcast(struct hub *hub, uint32_t slot, struct block *block)
{
	struct announcement *a = &hub->announcements[hub->announcement_count % HUB_ANNOUNCEMENTS];
	struct subscription *s;

	block_unref(&a->block);
	*a = (struct announcement){ .slot = slot, .block = block };
	hub->announcement_count++;
	TAILQ_FOREACH (s, &hub->subscriptions, entry)
		if (is_for(s, a))
			s->wake(s->arg); /* which only queues it */
}

/* --- going on ------------------------------------------------------------------------------------------------- */

enum stream_answer
subscription_next(struct subscription *s, struct block **ret_block)
{
	const struct announcement *a = find_announcement(s);
	enum stream_answer answer;

	if (a) {
		s->announced++;
		*ret_block = block_ref(a->block);
		return STREAM_BLOCK;
	}
	if (stream_is_waiting(s->stream))
		return STREAM_WAIT;
	answer = stream_next(s->stream, ret_block);
	s->has_begun |= answer == STREAM_BLOCK;
	return answer;
}

bool
subscription_is_waiting(const struct subscription *s)
{
	return stream_is_waiting(s->stream) && s->announced == s->hub->announcement_count;
}
