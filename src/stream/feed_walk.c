/* What a client of a feed gets first: what is said of the runs that are in it, or what they hold. */
#include <string.h>

#include "base/must.h"
#include "stream/feed_state.h"

enum {
	STATUS_TEXT_BYTES = 16 * 1024, /* statuses are gathered up to this */
	SLOTS_A_TURN = 1024,           /* that are not of the feed */
	/* Blocks by which members are made to find their places, which nobody takes at once. */
	ADVANCES_A_TURN = 16,
};

/* Channels of content are not those of the members, whose ids are other ones: a bit that no number of a
 * feed has. */
#define CONTENT_IDS (UINT64_C(1) << 63)

void
feed_walk_begin(struct feed_client *client)
{
	struct feed *feed = client->feed;
	struct feed_walk *walk = &client->walk;

	walk->is_on = true;
	walk->is_of_statuses = !client->resume && client->from == FEED_FROM_NOW;
	if (walk->is_of_statuses) {
		walk->member = TAILQ_FIRST(&feed->members);
		return;
	}
	feed->walks++;
	walk->slots = registry_count(feed_registry(feed));
	walk->slot = 0;
	walk->start.kind = client->from == FEED_FROM_TAIL ? START_TAIL : START_BEGINNING;
	walk->start.tail_lines = client->tail_entries;
}

/* --- statuses ----------------------------------------------------------------------------------------- */

static enum stream_answer
next_statuses(struct feed_client *client, struct block **ret_block)
{
	struct feed *feed = client->feed;
	struct feed_walk *walk = &client->walk;
	char prefix[FEED_PREFIX_BYTES];
	struct event_id id = { .text = prefix };
	struct buf text = BUF_INIT;

	feed_format_prefix(feed, client->joined.tick, NULL, prefix);
	id.length = strlen(prefix);
	for (; walk->member && text.length_bytes < STATUS_TEXT_BYTES;
	     walk->member = TAILQ_NEXT(walk->member, entry)) {
		struct feed_member *m = walk->member;

		/* What was first told later is in the journal. */
		if (feed->kind->put_status && m->told_at > 0 && m->told_at < client->joined_at)
			feed->kind->put_status(&text, &id, m->subscriber.channel);
	}
	if (text.length_bytes == 0)
		return STREAM_END;
	*ret_block = block_take(&text);
	return *ret_block ? STREAM_BLOCK : STREAM_END;
}

/* --- content -------------------------------------------------------------------------------------------- */

/* What ids begin with while a slot is gone through. */
static void
format_prefix(const struct feed_client *client, uint32_t slot, char ret_text[static FEED_PREFIX_BYTES])
{
	struct feed_id id = { .point = client->joined, .is_walk = true, .slot = slot,
		              .registry = registry_epoch(feed_registry(client->feed)) };

	if (client->resume) {
		feed_resume_describe(client, &id);
	} else {
		id.begins = client->from == FEED_FROM_START;
		id.tail_entries = client->tail_entries;
		id.base = client->joined;
	}
	ret_text[feed_id_format(&id, ret_text)] = '\0';
}

/* Whose channels can be shared: of those whose ids are the same. */
static uint64_t
ids_of_walk(const struct feed_client *client)
{
	char prefix[FEED_PREFIX_BYTES];

	format_prefix(client, 0, prefix);
	return CONTENT_IDS | XXH3_64bits(prefix, strlen(prefix));
}

static void
forget_until(struct feed_walk *walk)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		if (walk->until[i].generation)
			place_fini(&walk->until[i]);
}

static void
close_slot(struct feed_client *client)
{
	struct feed_walk *walk = &client->walk;
	const struct subscriber *s = (const struct subscriber *)walk->stream;

	if (s && !s->until && subscriber_has_begun(s) && !feed_member_at(client->feed, walk->slot))
		feed_remember_past(client->feed, walk->slot, s);
	stream_free(&walk->stream);
	walk->is_stream_over = false;
	forget_until(walk);
	walk->slot++;
}

void
feed_walk_end(struct feed_client *client)
{
	feed_resume_free(&client->resume, client->feed->hub);
	if (!client->walk.is_on)
		return;
	stream_free(&client->walk.stream);
	forget_until(&client->walk);
	client->walk.member = NULL;
	client->walk.is_on = false;
	if (!client->walk.is_of_statuses)
		feed_walk_over(client->feed);
}

/* Where the journal, as this client reads it, takes over from what lies before. */
static bool
find_until(struct feed_client *client, struct feed_member *m)
{
	struct feed_walk *walk = &client->walk;
	bool is_any = false;

	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct journal_entry *first =
			journal_first_extent(&client->reader, &m->owner, (enum cursor_file)i);

		walk->until[i] = first ? first->from : m->subscriber.places[i];
		generation_ref(walk->until[i].generation);
		is_any |= walk->until[i].offset > 0;
	}
	return is_any;
}

/* A client that comes back has all that lies before where the journal takes over. */
static bool
is_there_already(const struct feed_client *client, const struct start *start)
{
	struct cursor until = { 0 };

	if (start->kind != START_CURSOR || start->tail_lines > 0 || start->noted_files)
		return false;
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct cursor_mark *mark = &start->cursor.files[i].mark;
		struct cursor_mark *there = &until.files[i].mark;

		if (!(client->feed->files & 1U << i))
			continue;
		place_to_cursor(&client->walk.until[i], (enum cursor_file)i, &until);
		if (start->cursor.files[i].has_mark != until.files[i].has_mark ||
		    mark->offset != there->offset || mark->is_finished != there->is_finished ||
		    mark->identity != there->identity ||
		    (mark->offset > 0 && mark->fingerprint != there->fingerprint) ||
		    (cursor_mark_is_short(mark) && mark->begun_ms != there->begun_ms))
			return false;
	}
	return true;
}

/* What is said at connecting of a run of which nothing else is. */
static void
note_status(struct feed_client *client, const struct feed_member *m)
{
	const struct stream_kind *kind = client->feed->kind;
	char prefix[FEED_PREFIX_BYTES];
	struct event_id id = { .text = prefix };

	if (!client->resume || !kind->put_status || m->told_at == 0 || m->told_at >= client->joined_at)
		return;
	format_prefix(client, m->slot, prefix);
	id.length = strlen(prefix);
	kind->put_status(&client->resume->statuses, &id, m->subscriber.channel);
}

/* Where the run at hand begins for this client. False: it is given nothing of it. */
static bool
find_start(const struct feed_client *client, const struct registry_run *run, struct start *ret_start)
{
	if (client->resume)
		return feed_resume_start(client, run, ret_start);
	*ret_start = client->walk.start;
	return true;
}

/* Whether it is known which run of a slot is a member, and where that began. */
static bool
is_settled(const struct feed *feed, uint32_t slot)
{
	const struct feed_member *m = feed_member_at(feed, slot);

	return slot < feed->scan_next && (!m || subscriber_has_begun(&m->subscriber));
}

/* Opens the content of the slot at hand. STREAM_BLOCK: it is open; STREAM_END: there is none;
 * STREAM_WAIT: whether and where it is one of the feed's is being found out. */
static enum stream_answer
open_slot(struct feed_client *client)
{
	struct feed *feed = client->feed;
	struct feed_walk *walk = &client->walk;
	struct feed_member *m = feed_member_at(feed, walk->slot);
	struct channel_request request;
	struct registry_run run;
	struct subscriber *s;
	struct start start;
	bool is_wanted;

	/* One that is there, but was not told of yet, is a member first: read to its end as none, it would
	 * go on there for all others. (Where there is no room, they were told.) */
	if (walk->slot < feed->scan_next && (!m || !m->is_in) && !feed->has_left_out) {
		feed_consider(feed, walk->slot);
		m = feed_member_at(feed, walk->slot);
	}
	if (!is_settled(feed, walk->slot))
		return STREAM_WAIT;
	if (registry_at(feed_registry(feed), walk->slot, &run) < 0 || run.is_deleted ||
	    !feed_wants(feed, &run))
		return STREAM_END;
	if (m && m->is_kept && m->over_at <= client->joined_at)
		m = NULL; /* the journal, as this client reads it, has nothing of it, its end included */
	is_wanted = find_start(client, &run, &start);
	/* That it has all until the run's end says nothing where the run went on, and the feed with it, before
	 * the registry knows. */
	is_wanted |= m && start.kind == START_CURSOR;
	/* (Who comes back may have left off in a file that was rotated away since.) */
	if (m && !find_until(client, m) && m->told_at >= client->joined_at && !client->resume) {
		forget_until(walk); /* all of it is in the journal */
		return STREAM_END;
	}
	if (!is_wanted || (m && is_there_already(client, &start))) {
		if (m)
			note_status(client, m);
		forget_until(walk);
		return STREAM_END;
	}
	request = feed_channel_request(feed, &run, ids_of_walk(client));
	if (subscriber_new(feed->hub, &request, &start, feed_client_wake, client, &walk->stream) < 0) {
		forget_until(walk);
		return STREAM_END;
	}
	s = (struct subscriber *)walk->stream;
	if (m)
		subscriber_read_until(s, walk->until);
	s->stops_at_end = !m;
	/* One that becomes a member meanwhile begins with the line, or where it says. */
	s->channel->holds_unfinished = true;
	format_prefix(client, walk->slot, walk->prefix);
	return STREAM_BLOCK;
}

/*
 * The run at hand was none of the feed's, and was read to its end; but it may have become one
 * meanwhile, as it goes on. Then it is to be read until where it began there. As open_slot().
 */
static enum stream_answer
go_on_until(struct feed_client *client)
{
	struct feed_walk *walk = &client->walk;
	struct subscriber *s = (struct subscriber *)walk->stream;
	struct feed_member *m = feed_member_at(client->feed, walk->slot);

	if (s->until || !m || !m->is_in)
		return STREAM_END;
	if (!subscriber_has_begun(&m->subscriber))
		return STREAM_WAIT;
	find_until(client, m);
	subscriber_read_until(s, walk->until);
	s->is_over = false;
	walk->is_stream_over = false;
	return STREAM_BLOCK;
}

static bool
has_statuses(const struct feed_client *client, size_t at_least_bytes)
{
	return client->resume && client->resume->statuses.length_bytes >= at_least_bytes;
}

static enum stream_answer
give_statuses(struct feed_client *client, struct block **ret_block)
{
	*ret_block = block_take(&client->resume->statuses);
	return *ret_block ? STREAM_BLOCK : STREAM_END;
}

static enum stream_answer
next_content(struct feed_client *client, struct block **ret_block)
{
	struct feed_walk *walk = &client->walk;

	for (int i = 0; i < SLOTS_A_TURN && walk->slot < walk->slots; i++) {
		enum stream_answer answer;

		if (has_statuses(client, STATUS_TEXT_BYTES))
			return give_statuses(client, ret_block);
		answer = walk->stream ? STREAM_BLOCK : open_slot(client);
		must(answer != STREAM_BLOCK || walk->stream);
		/* Before what comes from another run: its ids say that this one was passed. */
		if (walk->stream && has_statuses(client, 1))
			return give_statuses(client, ret_block);
		if (answer == STREAM_BLOCK && !walk->is_stream_over) {
			if (stream_is_waiting(walk->stream))
				return STREAM_WAIT;
			((struct subscriber *)walk->stream)->channel->id_prefix = walk->prefix;
			answer = stream_next(walk->stream, ret_block);
			if (answer == STREAM_BLOCK || answer == STREAM_WAIT)
				return answer;
			walk->is_stream_over = true;
		}
		if (walk->stream)
			answer = go_on_until(client);
		if (answer == STREAM_WAIT)
			return STREAM_WAIT;
		if (answer == STREAM_END)
			close_slot(client);
	}
	if (walk->slot < walk->slots)
		return STREAM_WAIT;
	if (has_statuses(client, 1))
		return give_statuses(client, ret_block);
	return client->resume ? feed_resume_next_gone(client, ret_block) : STREAM_END;
}

enum stream_answer
feed_walk_next(struct feed_client *client, struct block **ret_block)
{
	enum stream_answer answer;
	bool is_for_members;

	if (client->walk.is_of_statuses)
		return next_statuses(client, ret_block);
	answer = next_content(client, ret_block);
	/* Members find their places when the feed advances, which somebody has to make it do. What
	 * they give meanwhile is in the journal. */
	is_for_members = !client->walk.stream || client->walk.is_stream_over;
	for (int i = 0; i < ADVANCES_A_TURN && answer == STREAM_WAIT && is_for_members; i++) {
		struct block *block;

		if (feed_advance(client->feed, &block) != STREAM_BLOCK)
			break;
		block_unref(&block);
	}
	if (answer != STREAM_WAIT)
		return answer;
	feed_client_wait(client);
	if (is_for_members &&
	    (is_settled(client->feed, client->walk.slot) || !TAILQ_EMPTY(&client->feed->ready)))
		audience_wake(&client->feed->audience); /* others have their turn first */
	return STREAM_WAIT;
}
