#include "stream/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "stream/feed_state.h"

/* Members that are asked in one turn though they have nothing. */
enum { IDLE_MEMBERS_A_TURN = 64 };

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

/* --- beginning -------------------------------------------------------------------------------------------- */

static void
open_feed(struct feed *feed)
{
	feed->is_open = true;
	feed->made_wall_ms = clock_wall_ms();
	feed->horizon_ms = feed->made_wall_ms;
	feed->slots_when_made = registry_count(feed_registry(feed));
	feed->horizon_slots = feed->slots_when_made;
	feed->changes_when_made = registry_changes_now(feed_registry(feed));
	feed_trail_begin(feed);
	feed_scan(feed);
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
			feed_member_make_ready(m); /* behind all others */
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
			feed_member_remove(m);
			feed_consider(feed, slot); /* it may have gone on since its end was told */
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

	while ((m = TAILQ_FIRST(&feed->members)) != NULL)
		feed_member_remove(m);
	must(feed->walks == 0 && TAILQ_EMPTY(&feed->kept));
	feed_members_fini(feed);
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
