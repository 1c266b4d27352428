#include "stream/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "stream/feed_state.h"

enum {
	SCAN_SLOTS_A_TURN = 4096,
	/* Members that are asked in one turn though they have nothing. */
	IDLE_MEMBERS_A_TURN = 64,
	RESCAN_MS = 1000, /* from when there is room again */
	/* A run that is over when it is first seen was short, not old. */
	NEW_MS = 60 * 1000,
	MOST_PAST = 10000,
	FEED_HORIZON_MS = 10 * 1000, /* more than times of files may be off */
};

const struct registry *
feed_registry(const struct feed *feed)
{
	return feed->kind->is_of_bus ? feed->hub->buses : feed->hub->registry;
}

bool
feed_wants(const struct feed *feed, const struct registry_run *run)
{
	return (!feed->project_id || strcmp(feed->project_id, run->project_id) == 0) &&
	       (!feed->task_id || strcmp(feed->task_id, run->task_id) == 0);
}

struct channel_request
feed_channel_request(const struct feed *feed, const struct registry_run *run, uint64_t ids)
{
	return (struct channel_request){ .kind = feed->kind, .run = run, .files = feed->files,
		                         .feed = ids };
}

struct feed_member *
feed_member_at(const struct feed *feed, uint32_t slot)
{
	struct feed_member *m;

	HASH_FIND(hh, feed->by_slot, &slot, sizeof(slot), m);
	return m;
}

/* --- runs that ended ------------------------------------------------------------------------------------ */

static void
forget_past(struct feed *feed, struct feed_past *past)
{
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

static void
rescan(void *arg)
{
	struct feed *feed = arg;

	feed->has_left_out = false;
	feed->scan_next = 0;
	loop_defer(feed->hub->loop, &feed->scan_task, scan, feed);
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

static void
remove_member(struct feed_member *m)
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

static void
make_ready(struct feed_member *m)
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
	make_ready(m);
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
	make_ready(m);
	audience_wake(&feed->audience);
}

/* --- who is one ------------------------------------------------------------------------------------------------ */

/* Seen while the feed was there; or just before, but told since. */
static bool
is_new(const struct feed *feed, const struct registry_run *run)
{
	return run->first_seen_ms >= feed->made_wall_ms || run->slot >= feed->slots_when_made;
}

/* It was over when the feed was made, and how much there was of it is known. */
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
	struct start start = { .kind = START_ENDING };

	for (int i = 0; i < CURSOR_FILES; i++) {
		enum registry_file file = feed_registry_file(feed, (enum cursor_file)i);

		start.cursor.files[i].mark.offset = run->ending.files[file].bytes;
		start.cursor.files[i].mark.identity = run->ending.files[file].identity;
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

static void
consider(struct feed *feed, uint32_t slot)
{
	struct start start = { .kind = START_BEGINNING };
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
	if (run.is_terminal && !past &&
	    (!is_new(feed, &run) || clock_wall_ms() - run.first_seen_ms > NEW_MS))
		return;
	if (past)
		start = (struct start){ .kind = START_CURSOR, .cursor = past->cursor };
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
			consider(feed, slot);
}

static void
scan(void *arg)
{
	struct feed *feed = arg;
	uint32_t count = registry_count(feed_registry(feed));

	for (int i = 0; i < SCAN_SLOTS_A_TURN && feed->scan_next < count; i++)
		consider(feed, feed->scan_next++);
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
			rescan(feed);
}

static void
open_feed(struct feed *feed)
{
	feed->is_open = true;
	feed->made_wall_ms = clock_wall_ms();
	feed->horizon_ms = feed->made_wall_ms;
	feed->slots_when_made = registry_count(feed_registry(feed));
	feed->changes_when_made = registry_changes_now(feed_registry(feed));
	feed_trail_begin(feed);
	loop_defer(feed->hub->loop, &feed->scan_task, scan, feed);
	if (feed_is_ready(feed))
		feed_client_begin_all(feed);
}

void
feeds_open(struct hub *hub)
{
	struct feed *feed;

	/* (Looks are counted in the registry of runs, for buses as well.) */
	if (registry_looks_finished(hub->registry) == 0)
		return;
	TAILQ_FOREACH (feed, &hub->feeds, entry)
		if (!feed->is_open)
			open_feed(feed);
}

bool
feed_is_ready(const struct feed *feed)
{
	return feed->is_open && feed->on_trail.is_on_record;
}

void
feed_prepare(struct feed *feed)
{
	struct feed_member *m = TAILQ_FIRST(&feed->ready), *next;

	for (int i = 0; i < IDLE_MEMBERS_A_TURN && m; i++, m = next) {
		next = TAILQ_NEXT(m, ready_entry);
		if (!stream_is_waiting(&m->subscriber.stream))
			(void)subscriber_find_places(&m->subscriber);
	}
}

/* --- advancing --------------------------------------------------------------------------------------------------- */

/* The journal's entry for a block that a member was given. */
static struct journal_entry
entry_of(struct feed_member *m, struct block *block)
{
	struct subscriber *s = &m->subscriber;
	struct journal_entry entry = { .owner = &m->owner,
		                       .tick = trail_point(m->feed->hub->trail,
		                                           &m->feed->on_trail).tick };
	enum cursor_file file = block->file;
	const struct place *after = &s->places[file];

	if (s->given != SUBSCRIBER_GAVE_ENTRIES) {
		entry.kind = s->given == SUBSCRIBER_GAVE_STATUS ? JOURNAL_STATUS : JOURNAL_TEXT;
		entry.block = block_ref(block);
		return entry;
	}
	entry.kind = JOURNAL_EXTENT;
	entry.file = file;
	/* (Not at the beginning of each file that is new to it: of a copy of one that was lost it goes on
	 * where it was.) */
	entry.from = s->given_from;
	generation_ref(entry.from.generation);
	entry.to = after->offset;
	entry.ends_open = after->is_open;
	entry.ends_finished = after->is_finished;
	return entry;
}

struct block_key
feed_block_key(uint64_t number, const struct place *from)
{
	struct block_key key;

	memset(&key, 0, sizeof(key));
	key.files[0].offset = from->offset;
	key.files[0].generation = from->generation->serial;
	key.files[1].offset = number;
	return key;
}

void
feed_format_prefix(const struct feed *feed, uint64_t tick, const struct feed_member *member,
                   char ret_text[static FEED_PREFIX_BYTES])
{
	struct feed_id id = { .point = trail_point(feed->hub->trail, &feed->on_trail) };

	id.point.tick = tick;
	id.has_member = member != NULL;
	id.member = member ? member->number : 0;
	ret_text[feed_id_format(&id, ret_text)] = '\0';
}

static void
note(struct feed *feed, struct feed_member *m, struct block *block)
{
	struct journal_entry entry = entry_of(m, block);
	uint64_t number = journal_next_number(&feed->journal);

	journal_append(&feed->journal, &entry);
	/* (Of a run that went on, its channel may have kept it: the member that it had is still there.) */
	if (entry.kind == JOURNAL_EXTENT && feed->client_count > 1 && !block->table) {
		struct block_key key = feed_block_key(number, &entry.from);

		block_cache_keep(&feed->hub->cache, &feed->blocks, &key, block);
	}
	if (entry.kind == JOURNAL_STATUS && m->told_at == 0)
		m->told_at = number;
}

/* The next thing that a member has. */
static enum stream_answer
ask(struct feed *feed, struct feed_member *m, struct block **ret_block)
{
	enum stream_answer answer;

	feed_format_prefix(feed, trail_point(feed->hub->trail, &feed->on_trail).tick, m, feed->prefix);
	/* Where its first entry begins is to be known before it is given. */
	if (!subscriber_find_places(&m->subscriber))
		return STREAM_WAIT;
	feed_trail_note_begin(m);
	if (m->is_held)
		return STREAM_WAIT;
	answer = subscriber_next(&m->subscriber, ret_block);
	/* What was only passed over needs no entry. */
	if (answer == STREAM_BLOCK && (*ret_block)->length_bytes > 0)
		note(feed, m, *ret_block);
	if (answer == STREAM_BLOCK && m->subscriber.given == SUBSCRIBER_GAVE_ENTRIES)
		feed_trail_note_move(m);
	return answer;
}

enum stream_answer
feed_advance(struct feed *feed, struct block **ret_block)
{
	struct feed_member *m;
	uint32_t slot;

	for (int i = 0; i < IDLE_MEMBERS_A_TURN && (m = TAILQ_FIRST(&feed->ready)) != NULL; i++) {
		TAILQ_REMOVE(&feed->ready, m, ready_entry);
		m->is_ready = false;
		if (stream_is_waiting(&m->subscriber.stream))
			continue;
		switch (ask(feed, m, ret_block)) {
		case STREAM_BLOCK:
			make_ready(m); /* behind all others */
			if ((*ret_block)->length_bytes > 0)
				return STREAM_BLOCK;
			block_unref(ret_block);
			break;
		case STREAM_WAIT:
			break;
		case STREAM_END:
		case STREAM_NOTHING_MORE:
			slot = m->slot;
			if (subscriber_has_begun(&m->subscriber))
				feed_remember_past(feed, slot, &m->subscriber);
			remove_member(m);
			consider(feed, slot); /* it may have gone on since its end was told */
			break;
		}
	}
	return STREAM_WAIT;
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static bool
is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct feed *
find_feed(struct hub *hub, const struct feed_request *request)
{
	struct feed *feed;

	TAILQ_FOREACH (feed, &hub->feeds, entry)
		if (feed->kind == request->kind && feed->files == request->files &&
		    is_same(feed->project_id, request->project_id) &&
		    is_same(feed->task_id, request->task_id))
			return feed;
	return NULL;
}

static void
free_feed(struct feed *feed)
{
	struct feed_member *m;
	struct feed_past *past, *next;

	while ((m = TAILQ_FIRST(&feed->members)) != NULL)
		remove_member(m);
	must(feed->walks == 0 && TAILQ_EMPTY(&feed->kept));
	loop_defer_cancel(feed->hub->loop, &feed->scan_task);
	loop_timer_stop(feed->hub->loop, &feed->rescan_timer);
	HASH_CLEAR(hh, feed->past);
	for (past = TAILQ_FIRST(&feed->past_order); past; past = next) {
		next = TAILQ_NEXT(past, entry);
		free(past);
	}
	feed_trail_end(feed);
	block_cache_purge(&feed->blocks);
	journal_fini(&feed->journal);
	audience_fini(&feed->audience);
	TAILQ_REMOVE(&feed->hub->feeds, feed, entry);
	free(feed->project_id);
	free(feed->task_id);
	free(feed);
}

void
feed_release(struct feed *feed)
{
	if (feed->client_count == 0)
		free_feed(feed);
}

static int
copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

int
feed_get(struct hub *hub, const struct feed_request *request, struct feed **ret_feed)
{
	struct feed *feed = find_feed(hub, request);
	int error;

	if (feed) {
		*ret_feed = feed;
		return 0;
	}
	feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	feed->hub = hub;
	feed->kind = request->kind;
	feed->files = request->files;
	feed->number = ++hub->feed_number;
	TAILQ_INIT(&feed->members);
	TAILQ_INIT(&feed->moved);
	TAILQ_INIT(&feed->held);
	TAILQ_INIT(&feed->ready);
	TAILQ_INIT(&feed->kept);
	TAILQ_INIT(&feed->past_order);
	TAILQ_INIT(&feed->clients);
	audience_init(&feed->audience, hub->loop);
	TAILQ_INSERT_TAIL(&hub->feeds, feed, entry);
	journal_init(&feed->journal);
	error = copy_text(request->project_id, &feed->project_id);
	if (!error)
		error = copy_text(request->task_id, &feed->task_id);
	if (error) {
		free_feed(feed);
		return error;
	}
	feeds_open(hub);
	*ret_feed = feed;
	return 0;
}
