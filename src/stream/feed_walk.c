/* What a client of a feed gets first: what is said of the runs that are in it, or what they hold. */
#include <stdio.h>
#include <string.h>

#include "stream/feed_state.h"

enum {
	STATUS_TEXT_BYTES = 16 * 1024, /* statuses are gathered up to this */
	SLOTS_A_TURN = 1024,           /* that are not of the feed */
	/* Blocks by which members are made to find their places, which nobody takes at once. */
	ADVANCES_A_TURN = 16,
	/* Channels of content are not those of the members, whose ids are other ones. */
	CONTENT_FEED = 1U << 31,
};

void
feed_walk_begin(struct feed_client *client, const struct feed_request *request)
{
	struct feed *feed = client->feed;
	struct feed_walk *walk = &client->walk;

	walk->is_on = true;
	walk->is_of_statuses = request->from == FEED_FROM_NOW;
	if (walk->is_of_statuses) {
		walk->member = TAILQ_FIRST(&feed->members);
		return;
	}
	feed->walks++;
	walk->slots = registry_count(feed_registry(feed));
	walk->start.kind = request->from == FEED_FROM_TAIL ? START_TAIL : START_BEGINNING;
	walk->start.tail_lines = request->tail_entries;
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

	feed_format_prefix(feed, client->joined_at, prefix);
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
	if (!client->walk.is_on)
		return;
	stream_free(&client->walk.stream);
	forget_until(&client->walk);
	client->walk.member = NULL;
	client->walk.is_on = false;
	if (!client->walk.is_of_statuses)
		feed_walk_over(client->feed);
}

static void
content_woken(void *arg)
{
	struct feed_client *client = arg;

	audience_leave(&client->stream);
	client->stream.wake(client->stream.arg);
}

/* Where the journal, as this client reads it, takes over from what lies before. */
static bool
find_until(struct feed_client *client, const struct feed_member *m)
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

	if (!is_settled(feed, walk->slot))
		return STREAM_WAIT;
	if (registry_at(feed_registry(feed), walk->slot, &run) < 0 || run.is_deleted ||
	    !feed_wants(feed, &run))
		return STREAM_END;
	if (m && !find_until(client, m) && m->told_at >= client->joined_at) {
		forget_until(walk); /* all of it is in the journal */
		return STREAM_END;
	}
	request = feed_channel_request(feed, &run, CONTENT_FEED | feed->number);
	if (subscriber_new(feed->hub, &request, &walk->start, content_woken, client, &walk->stream) < 0) {
		forget_until(walk);
		return STREAM_END;
	}
	s = (struct subscriber *)walk->stream;
	if (m)
		subscriber_read_until(s, walk->until);
	s->stops_at_end = !m;
	snprintf(walk->prefix, sizeof(walk->prefix), "f=%08x-r%u", feed->nonce, walk->slot);
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
	s->until = walk->until;
	s->is_over = false;
	walk->is_stream_over = false;
	return STREAM_BLOCK;
}

static enum stream_answer
next_content(struct feed_client *client, struct block **ret_block)
{
	struct feed_walk *walk = &client->walk;

	for (int i = 0; i < SLOTS_A_TURN && walk->slot < walk->slots; i++) {
		enum stream_answer answer = walk->stream ? STREAM_BLOCK : open_slot(client);

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
	return walk->slot < walk->slots ? STREAM_WAIT : STREAM_END;
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
