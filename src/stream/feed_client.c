#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "stream/copy.h"
#include "stream/feed_state.h"

/* --- waiting ------------------------------------------------------------------------------------------------ */

static bool
is_at_end(struct feed_client *client)
{
	return client->has_begun && !client->walk.is_on && !client->waits_for &&
	       !journal_at(&client->feed->journal, &client->reader);
}

/* When all have everything nobody will come by what is kept. */
static void
forget_if_idle(struct feed *feed)
{
	struct feed_client *client;

	if (feed->audience.count < feed->client_count)
		return;
	TAILQ_FOREACH (client, &feed->clients, entry)
		if (!is_at_end(client))
			return;
	block_cache_purge(&feed->blocks);
	journal_forget(&feed->journal);
	TAILQ_FOREACH (client, &feed->clients, entry)
		client->reader.index = 0;
}

void
feed_client_wait(struct feed_client *client)
{
	audience_join(&client->feed->audience, &client->stream);
	forget_if_idle(client->feed);
}

void
feed_client_wake(void *arg)
{
	struct feed_client *client = arg;

	audience_leave(&client->stream);
	client->stream.wake(client->stream.arg);
}

/* Until the source has been read from, or looked at. */
static enum stream_answer
wait_for_source(struct feed_client *client, struct source *source)
{
	client->waits_for = source;
	source_listen(source, &client->listener, feed_client_wake, client);
	feed_client_wait(client);
	return STREAM_WAIT;
}

static void
stop_waiting(struct feed_client *client)
{
	if (client->waits_for)
		source_unlisten(client->waits_for, &client->listener);
	client->waits_for = NULL;
}

/* --- entries -------------------------------------------------------------------------------------------------- */

static struct feed_member *
member_of(const struct journal_entry *entry)
{
	return (struct feed_member *)entry->owner;
}

static void
pass_entry(struct feed_client *client)
{
	if (client->inside.generation)
		place_fini(&client->inside);
	journal_pass(&client->reader);
}

static enum stream_answer
give(struct buf *text, struct block **ret_block)
{
	*ret_block = block_take(text);
	return *ret_block ? STREAM_BLOCK : STREAM_END;
}

/* What the entry names is not there any more. */
static enum stream_answer
give_lost(struct feed_client *client, const struct journal_entry *entry, struct block **ret_block)
{
	struct channel *channel = member_of(entry)->subscriber.channel;
	const struct generation *g = entry->from.generation;
	struct event_run run = channel_event_run(channel);
	struct event_gap gap = {
		.stream = channel_file_name(channel, entry->file),
		.reason = g->lost_reason ? g->lost_reason : "truncated",
		.has_from = true,
		.from = client->inside.offset,
		.has_to = true,
		.to = entry->to,
	};
	char prefix[FEED_PREFIX_BYTES];
	struct event_id id = { .text = prefix };
	struct buf text = BUF_INIT;

	feed_format_prefix(client->feed, entry->tick, member_of(entry), prefix);
	id.length = strlen(prefix);
	hub_count_gap(channel->hub, gap.reason);
	event_put_gap(&text, &id, &run, &gap);
	pass_entry(client);
	return give(&text, ret_block);
}

/* It is in a copy of the extent's file, and that ends before the extent does. */
static bool
is_cut_short(const struct feed_client *client, const struct journal_entry *entry)
{
	const struct generation *g = client->inside.generation;

	return g != entry->from.generation && g->size_bytes < entry->to;
}

/* As renderer_render(): the next piece of an extent that is in the cache no more. */
static int
render(struct feed_client *client, const struct journal_entry *entry, struct block **ret_block)
{
	struct feed *feed = client->feed;
	struct channel *channel = member_of(entry)->subscriber.channel;
	struct place places[CURSOR_FILES] = { 0 };
	char prefix[FEED_PREFIX_BYTES];
	struct renderer_job job = {
		.kind = feed->kind,
		.template = &channel->template,
		.places = places,
		.file = entry->file,
		.gap_stream = channel_file_name(channel, entry->file),
		.id_prefix = prefix,
		.max_line_bytes = (size_t)feed->hub->settings->api.sse.max_line_bytes,
		.limit_bytes = entry->to,
		.may_flush = feed->kind->flushes && entry->ends_open,
		/* It ends where an entry of the file did; a copy that is too short, in whatever there is. */
		.is_final = !feed->kind->flushes || entry->ends_finished || is_cut_short(client, entry),
	};

	feed_format_prefix(feed, entry->tick, member_of(entry), prefix);
	places[entry->file] = client->inside;
	feed->hub->blocks_rendered++;
	return renderer_render(feed->hub->renderer, &job, ret_block);
}

static int
next_piece(struct feed_client *client, const struct journal_entry *entry, struct block **ret_block)
{
	struct feed *feed = client->feed;
	struct block_key key = feed_block_key(entry->number, &client->inside);
	struct block *block = block_cache_find(&feed->hub->cache, &feed->blocks, &key);
	int error;

	if (block) {
		*ret_block = block_ref(block);
		return 0;
	}
	error = render(client, entry, ret_block);
	if (!error && feed->client_count > 1)
		block_cache_keep(&feed->hub->cache, &feed->blocks, &key, *ret_block);
	return error;
}

static bool
is_passed(const struct feed_client *client, const struct journal_entry *entry)
{
	if (client->inside.offset < entry->to)
		return false;
	/* A last line that was taken for whole without its end may have got one since: it was given
	 * with that, and its place is behind the extent. */
	return !entry->ends_finished || client->inside.is_finished || client->inside.offset > entry->to;
}

static enum stream_answer
give_extent(struct feed_client *client, const struct journal_entry *entry, struct block **ret_block)
{
	struct source *source = entry->from.generation->source;
	int error;

	if (!client->inside.generation) {
		client->inside = entry->from;
		generation_ref(client->inside.generation);
	}
	error = next_piece(client, entry, ret_block);
	if (error == -ESTALE) {
		error = copy_move(&client->inside, NULL, NULL);
		if (error == -ENOENT)
			return give_lost(client, entry, ret_block);
		if (!error)
			error = next_piece(client, entry, ret_block);
	}
	if (!error) {
		block_move_place(*ret_block, &client->inside);
		if (is_passed(client, entry))
			pass_entry(client);
		return STREAM_BLOCK;
	}
	if (error == -ENODATA && is_cut_short(client, entry))
		return give_lost(client, entry, ret_block);
	if (error == -ENODATA)
		source_refresh(source); /* it is shorter than it was: a look will say so */
	else if (error != -EAGAIN)
		source->tell = true; /* failed: tried again after a look */
	return wait_for_source(client, source);
}

static enum stream_answer
give_entry(struct feed_client *client, const struct journal_entry *entry, struct block **ret_block)
{
	if (entry->kind == JOURNAL_EXTENT)
		return give_extent(client, entry, ret_block);
	*ret_block = block_ref(entry->block);
	pass_entry(client);
	return STREAM_BLOCK;
}

/* --- beginning -------------------------------------------------------------------------------------------------- */

static void
begin(struct feed_client *client)
{
	client->has_begun = true;
	client->joined = trail_point(client->feed->hub->trail, &client->feed->on_trail);
	feed_walk_begin(client);
}

void
feed_client_begin_all(struct feed *feed)
{
	struct feed_client *client;

	TAILQ_FOREACH (client, &feed->clients, entry)
		if (!client->has_begun)
			begin(client);
	audience_wake(&feed->audience);
}

/* The client's id is of no use: it is told, and goes on as one that comes for the first time. */
static void
give_up_resuming(struct feed_client *client, const char *reason)
{
	client->gap_reason = reason;
	feed_walk_end(client);
	feed_walk_begin(client);
}

/* STREAM_BLOCK: it is known where to go on, or that it is not. */
static enum stream_answer
find_resume(struct feed_client *client)
{
	int error = client->resume ? feed_resume_find(client) : 0;

	switch (-error) {
	case 0:
		return STREAM_BLOCK;
	case EAGAIN:
		feed_client_wait(client);
		return STREAM_WAIT;
	case ENOENT:
		give_up_resuming(client, "cursor_expired");
		return STREAM_BLOCK;
	case EINVAL:
		give_up_resuming(client, "cursor_invalid");
		return STREAM_BLOCK;
	default:
		return STREAM_END; /* it comes back, and may find it readable */
	}
}

/* --- the stream ------------------------------------------------------------------------------------------------- */

static enum stream_answer
give_gap(struct feed_client *client, const char *reason, struct block **ret_block)
{
	const struct event_run many = { .run_id = "", .project_id = "", .task_id = "" };
	struct event_gap gap = { .reason = reason };
	struct buf text = BUF_INIT;

	hub_count_gap(client->feed->hub, reason);
	event_put_gap(&text, NULL, &many, &gap);
	return give(&text, ret_block);
}

static enum stream_answer
next(struct stream *stream, struct block **ret_block)
{
	struct feed_client *client = (struct feed_client *)stream;
	struct feed *feed = client->feed;
	const struct journal_entry *entry;
	enum stream_answer answer;

	stop_waiting(client);
	if (!client->has_begun) {
		feed_prepare(feed);
		feed_client_wait(client);
		return STREAM_WAIT;
	}
	answer = find_resume(client);
	if (answer != STREAM_BLOCK)
		return answer;
	if (client->gap_reason) {
		const char *reason = client->gap_reason;

		client->gap_reason = NULL;
		return give_gap(client, reason, ret_block);
	}
	if (client->not_followed != feed->not_followed) {
		client->not_followed = feed->not_followed;
		return give_gap(client, "too_many_runs", ret_block);
	}
	if (client->walk.is_on) {
		answer = feed_walk_next(client, ret_block);
		if (answer != STREAM_END)
			return answer;
		feed_walk_end(client);
	}
	entry = journal_at(&feed->journal, &client->reader);
	if (entry)
		return give_entry(client, entry, ret_block);
	answer = feed_advance(feed, ret_block);
	if (answer == STREAM_BLOCK) {
		must(journal_at(&feed->journal, &client->reader)); /* what was noted just now */
		journal_pass(&client->reader);
		return STREAM_BLOCK;
	}
	feed_client_wait(client);
	if (!TAILQ_EMPTY(&feed->ready))
		audience_wake(&feed->audience); /* others have their turn first */
	return STREAM_WAIT;
}

/* What nobody was given yet; looked at once for all who ask in the same moment. */
static uint64_t
unread_bytes(struct feed *feed)
{
	int64_t now_ms = loop_now_ms(feed->hub->loop);
	struct feed_member *m;

	if (feed->unread_ms == now_ms)
		return feed->unread_bytes;
	feed->unread_ms = now_ms;
	feed->unread_bytes = 0;
	TAILQ_FOREACH (m, &feed->ready, ready_entry) {
		struct stream_progress of_member;

		stream_progress(&m->subscriber.stream, &of_member);
		feed->unread_bytes += of_member.bytes_behind;
	}
	return feed->unread_bytes;
}

static void
progress(const struct stream *stream, struct stream_progress *ret_progress)
{
	struct feed_client *client = (struct feed_client *)(uintptr_t)stream;
	struct feed *feed = client->feed;
	const struct journal_entry *entry = journal_at(&feed->journal, &client->reader);

	*ret_progress = (struct stream_progress){ 0 };
	if (entry) {
		ret_progress->bytes_behind = feed->journal.bytes - entry->bytes_before;
		if (client->inside.generation)
			ret_progress->bytes_behind -= client->inside.offset - entry->from.offset;
	}
	ret_progress->bytes_behind += unread_bytes(feed);
	ret_progress->has_lines = ret_progress->bytes_behind == 0;
}

static void
free_client(struct stream *stream)
{
	struct feed_client *client = (struct feed_client *)stream;
	struct feed *feed = client->feed;

	stop_waiting(client);
	feed_walk_end(client);
	audience_leave(stream);
	if (client->inside.generation)
		place_fini(&client->inside);
	journal_leave(&feed->journal, &client->reader);
	TAILQ_REMOVE(&feed->clients, client, entry);
	feed->client_count--;
	free(client);
	feed_release(feed);
}

static const struct stream_ops ops = { .next = next, .progress = progress, .free = free_client };

void
feed_client_forget_member(struct feed *feed, const struct feed_member *member)
{
	struct feed_client *client;

	TAILQ_FOREACH (client, &feed->clients, entry)
		if (client->walk.member == member)
			client->walk.member = TAILQ_NEXT(member, entry);
}

int
feed_subscribe(struct hub *hub, const struct feed_request *request, stream_wake_fn *wake_fn, void *arg,
               struct stream **ret_stream)
{
	struct feed_client *client = calloc(1, sizeof(*client));
	int error;

	if (!client)
		return -ENOMEM;
	error = feed_get(hub, request, &client->feed);
	if (error) {
		free(client);
		return error;
	}
	client->stream = (struct stream){ .ops = &ops, .wake = wake_fn, .arg = arg };
	TAILQ_INSERT_TAIL(&client->feed->clients, client, entry);
	client->feed->client_count++;
	journal_join(&client->feed->journal, &client->reader);
	client->joined_at = journal_next_number(&client->feed->journal);
	client->from = request->from;
	client->tail_entries = request->tail_entries;
	if (request->is_after_invalid)
		client->gap_reason = "cursor_invalid";
	if (request->after) {
		client->resume = feed_resume_new(request->after, client);
		if (!client->resume) {
			free_client(&client->stream);
			return -ENOMEM;
		}
	}
	if (feed_is_ready(client->feed))
		begin(client);
	*ret_stream = &client->stream;
	return 0;
}
