/* Which runs are members of a feed: those that are there, that come, that end and go on. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "stream/feed_state.h"

enum {
	SCAN_SLOTS_A_TURN = 4096,
	RESCAN_MS = 1000, /* from when there is room again */
	/* A run that is over when it is first seen was short, not old. */
	NEW_MS = 60 * 1000,
	MOST_PAST = 10000,
	FEED_HORIZON_MS = 10 * 1000, /* more than FEED_WRITTEN_MS */
};

/* --- runs that ended ------------------------------------------------------------------------------------ */

static void
forget_past(struct feed *feed, struct feed_past *past)
{
	must(feed->past); /* it holds what the list holds */
	HASH_DELETE(hh, feed->past, past);
	TAILQ_REMOVE(&feed->past_order, past, entry);
	feed->past_count--;
	free(past);
}

static struct feed_past *
find_past(struct feed *feed, const struct registry_run *run)
{
	struct feed_past *past;

	HASH_FIND(hh, feed->past, &run->slot, sizeof(run->slot), past);
	return past && strcmp(past->run_id, run->run_id) == 0 ? past : NULL;
}

void
feed_remember_past(struct feed *feed, uint32_t slot, const struct subscriber *s)
{
	struct feed_past *past, *old;

	HASH_FIND(hh, feed->past, &slot, sizeof(slot), old);
	if (old)
		forget_past(feed, old);
	past = calloc(1, sizeof(*past));
	if (!past)
		return;
	past->slot = slot;
	past->version = s->end_version;
	memcpy(past->run_id, s->channel->run->run_id, sizeof(past->run_id));
	for (int i = 0; i < CURSOR_FILES; i++)
		place_to_cursor(&s->places[i], (enum cursor_file)i, &past->cursor);
	HASH_ADD(hh, feed->past, slot, sizeof(past->slot), past);
	TAILQ_INSERT_TAIL(&feed->past_order, past, entry);
	past->over_ms = clock_wall_ms();
	feed_trail_note_over(feed, past);
	if (++feed->past_count > MOST_PAST) {
		struct feed_past *oldest = TAILQ_FIRST(&feed->past_order);

		/* What was written before is then taken for delivered. */
		if (oldest->over_ms + FEED_HORIZON_MS > feed->horizon_ms)
			feed->horizon_ms = oldest->over_ms + FEED_HORIZON_MS;
		if (oldest->slot >= feed->horizon_slots)
			feed->horizon_slots = oldest->slot + 1;
		forget_past(feed, oldest);
	}
}

/* --- members ------------------------------------------------------------------------------------------------ */

static void
free_member(struct journal_owner *owner)
{
	struct feed_member *m = (struct feed_member *)owner;

	subscriber_fini(&m->subscriber);
	free(m);
}

static void
unhash(struct feed_member *m)
{
	if (m->is_hashed)
		HASH_DELETE(hh, m->feed->by_slot, m);
	m->is_hashed = false;
}

static void scan(void *arg);

void
feed_scan(struct feed *feed)
{
	feed->has_left_out = false;
	feed->scan_next = 0;
	loop_defer(feed->hub->loop, &feed->scan_task, scan, feed);
}

static void
rescan(void *arg)
{
	feed_scan(arg);
}

/* There is room for one more, of whichever feed. */
static void
offer_room(struct hub *hub)
{
	struct feed *feed;

	TAILQ_FOREACH (feed, &hub->feeds, entry)
		if (feed->has_left_out && !loop_timer_is_set(&feed->rescan_timer))
			loop_timer_set(hub->loop, &feed->rescan_timer, RESCAN_MS, rescan, feed);
}

void
feed_member_remove(struct feed_member *m)
{
	struct feed *feed = m->feed;

	feed_client_forget_member(feed, m);
	feed_trail_forget_member(m);
	audience_leave(&m->subscriber.stream);
	if (m->is_ready)
		TAILQ_REMOVE(&feed->ready, m, ready_entry);
	m->is_ready = false;
	m->is_in = false;
	TAILQ_REMOVE(&feed->members, m, entry);
	feed->hub->members--;
	offer_room(feed->hub);
	if (feed->walks > 0 && m->is_hashed) {
		m->is_kept = true;
		m->over_at = journal_next_number(&feed->journal);
		TAILQ_INSERT_TAIL(&feed->kept, m, entry);
		return;
	}
	unhash(m);
	journal_owner_unref(&m->owner);
}

static void
drop_kept(struct feed_member *m)
{
	TAILQ_REMOVE(&m->feed->kept, m, entry);
	unhash(m);
	journal_owner_unref(&m->owner);
}

void
feed_walk_over(struct feed *feed)
{
	struct feed_member *m;

	feed->walks--;
	while (feed->walks == 0 && (m = TAILQ_FIRST(&feed->kept)) != NULL)
		drop_kept(m);
}

void
feed_member_make_ready(struct feed_member *m)
{
	if (m->is_ready)
		return;
	m->is_ready = true;
	TAILQ_INSERT_TAIL(&m->feed->ready, m, ready_entry);
}

void
feed_member_is_ready(struct feed_member *m)
{
	if (!m->is_in)
		return;
	feed_member_make_ready(m);
	audience_wake(&m->feed->audience);
}

static void
member_woken(void *arg)
{
	feed_member_is_ready(arg);
}

static void
add_member(struct feed *feed, const struct registry_run *run, const struct start *start)
{
	struct channel_request request = feed_channel_request(feed, run, feed->number);
	struct feed_member *m;

	if (feed->hub->members >= feed->hub->most_members) {
		feed->has_left_out = true;
		if (feed->not_followed++ == 0)
			feed_trail_note_feed(feed);
		feed->hub->runs_not_followed++;
		audience_wake(&feed->audience);
		return;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return;
	m->feed = feed;
	m->slot = run->slot;
	m->number = ++feed->member_number;
	m->owner = (struct journal_owner){ .references = 1, .free = free_member };
	if (subscriber_init(&m->subscriber, feed->hub, &request, start, member_woken, m) < 0) {
		free(m);
		return;
	}
	m->subscriber.channel->id_prefix = feed->prefix;
	m->is_in = true;
	HASH_ADD(hh, feed->by_slot, slot, sizeof(m->slot), m);
	m->is_hashed = true;
	TAILQ_INSERT_TAIL(&feed->members, m, entry);
	feed->hub->members++;
	feed_member_make_ready(m);
	audience_wake(&feed->audience);
}

/* --- who is one ------------------------------------------------------------------------------------------------ */

/* Seen while the feed was there; or just before, but told since. */
static bool
is_new(const struct feed *feed, const struct registry_run *run)
{
	return run->first_seen_ms >= feed->made_wall_ms || run->slot >= feed->slots_when_made;
}

/* It was over when the feed was made, and how much there was of it is known. (Now it may be over
 * again.) */
static bool
has_gone_on(const struct feed *feed, const struct registry_run *run)
{
	return run->ending.is_known && run->went_on_at > feed->changes_when_made;
}

enum registry_file
feed_registry_file(const struct feed *feed, enum cursor_file file)
{
	if (feed->kind->is_of_events)
		return REGISTRY_EVENTS;
	return file == CURSOR_STDOUT ? REGISTRY_STDOUT : REGISTRY_STDERR;
}

/* It went on before anybody here looked at its files: what it wrote until then is new, too. */
static struct start
start_at_ending(const struct feed *feed, const struct registry_run *run)
{
	struct start start = { .kind = START_ENDING, .since_ms = run->ending.written_ms };

	for (int i = 0; i < CURSOR_FILES; i++) {
		enum registry_file file = feed_registry_file(feed, (enum cursor_file)i);

		start.cursor.files[i].mark.offset = run->ending.files[file].bytes;
		start.cursor.files[i].mark.identity = run->ending.files[file].identity;
		start.cursor.files[i].mark.fingerprint = run->ending.files[file].fingerprint;
	}
	return start;
}

struct start
feed_start_when_new(const struct feed *feed, const struct registry_run *run, int64_t since_ms)
{
	/* It was over then, and went on since. */
	if (!run->is_terminal && run->ending.is_known && run->ending.written_ms < since_ms - NEW_MS)
		return start_at_ending(feed, run);
	return (struct start){ .kind = START_BEGINNING };
}

void
feed_consider(struct feed *feed, uint32_t slot)
{
	/* Of one that is new, what was rotated away before it was found is new as well. */
	struct start start = { .kind = START_OLDEST, .since_ms = feed->made_wall_ms - FEED_WRITTEN_MS };
	struct feed_member *m = feed_member_at(feed, slot);
	struct registry_run run;
	struct feed_past *past;

	if (registry_at(feed_registry(feed), slot, &run) < 0 || run.is_deleted || !feed_wants(feed, &run))
		return;
	if (m && m->is_in && strcmp(m->subscriber.channel->run->run_id, run.run_id) == 0)
		return;
	past = find_past(feed, &run);
	if (run.is_terminal && past && past->version == run.version)
		return;
	if (run.is_terminal && !past && !(run.ending.is_outdated && has_gone_on(feed, &run)) &&
	    (!is_new(feed, &run) || clock_wall_ms() - run.first_seen_ms > NEW_MS))
		return;
	if (past)
		start = (struct start){ .kind = START_CURSOR, .cursor = past->cursor, .has_no_older = true,
			                .since_ms = past->over_ms - FEED_WRITTEN_MS };
	else if (!is_new(feed, &run))
		start = has_gone_on(feed, &run) ? start_at_ending(feed, &run)
		                                : (struct start){ .kind = START_END };
	if (m && m->is_kept)
		drop_kept(m);
	else if (m)
		unhash(m); /* another run has its slot: it goes on to its end */
	add_member(feed, &run, &start);
}

void
feeds_update(struct hub *hub, uint32_t slot, bool is_of_bus)
{
	struct feed *feed;

	/* Those that a scan has yet to come to, it will. (One that is not open has come to none.) */
	TAILQ_FOREACH (feed, &hub->feeds, entry)
		if (feed->kind->is_of_bus == is_of_bus && slot < feed->scan_next)
			feed_consider(feed, slot);
}

static void
scan(void *arg)
{
	struct feed *feed = arg;
	uint32_t count = registry_count(feed_registry(feed));

	for (int i = 0; i < SCAN_SLOTS_A_TURN && feed->scan_next < count; i++)
		feed_consider(feed, feed->scan_next++);
	audience_wake(&feed->audience); /* a walk may have come to where the scan was not yet */
	if (feed->scan_next < count)
		loop_defer(feed->hub->loop, &feed->scan_task, scan, feed);
	else
		feed->scan_next = UINT32_MAX; /* what comes is told */
}

void
feeds_update_all(struct hub *hub, bool is_of_bus)
{
	struct feed *feed;

	TAILQ_FOREACH (feed, &hub->feeds, entry)
		if (feed->is_open && feed->kind->is_of_bus == is_of_bus)
			feed_scan(feed);
}

void
feed_members_fini(struct feed *feed)
{
	loop_defer_cancel(feed->hub->loop, &feed->scan_task);
	loop_timer_stop(feed->hub->loop, &feed->rescan_timer);
	while (!TAILQ_EMPTY(&feed->past_order))
		forget_past(feed, TAILQ_FIRST(&feed->past_order));
}
