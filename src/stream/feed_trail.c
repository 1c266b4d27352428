/* What the trail is told of a feed: of what it is, and where its members are. */
#include <errno.h>
#include <string.h>

#include "stream/feed_state.h"

static void
put(struct feed *feed, struct buf *to, struct trail_record *record)
{
	record->feed = feed->number;
	trail_put(to, record);
}

enum trail_kind
feed_trail_kind(const struct feed *feed)
{
	if (feed->kind->is_of_bus)
		return TRAIL_OF_MESSAGES;
	return feed->kind->is_of_events ? TRAIL_OF_EVENTS : TRAIL_OF_LOGS;
}

static uint8_t
length_of(const char *text)
{
	return text ? (uint8_t)strlen(text) : 0;
}

static void
put_feed(struct feed *feed, struct buf *to)
{
	struct trail_record record = { .kind = TRAIL_FEED };

	record.of = (struct trail_feed){
		.kind = feed_trail_kind(feed),
		.files = (uint8_t)feed->files,
		.has_left_out = feed->not_followed > 0,
		.is_of_task = feed->task_id != NULL,
		.registry = registry_epoch(feed_registry(feed)),
		.horizon_ms = feed->horizon_ms,
		.horizon_slots = feed->horizon_slots,
		.project_id = feed->project_id ? feed->project_id : "",
		.task_id = feed->task_id ? feed->task_id : "",
		.project_length = length_of(feed->project_id),
		.task_length = length_of(feed->task_id),
	};
	put(feed, to, &record);
}

static void
put_member(struct feed_member *m, struct buf *to, enum trail_record_kind kind, bool begins)
{
	struct subscriber *s = &m->subscriber;
	struct trail_record record = { .kind = kind };

	record.member = (struct trail_member){ .number = m->number, .begins = begins };
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (!(m->feed->files & 1U << i))
			continue;
		/* Whoever comes back by it may have had other parts of a line: it comes again as a whole. */
		if (m->feed->kind->flushes)
			place_to_line_cursor(&s->places[i], (enum cursor_file)i, &record.member.cursor);
		else
			place_to_cursor(&s->places[i], (enum cursor_file)i, &record.member.cursor);
	}
	record.member.run_id = s->channel->run->run_id;
	record.member.run_id_length = length_of(record.member.run_id);
	put(m->feed, to, &record);
}

static void
put_past(struct feed *feed, const struct feed_past *past, struct buf *to)
{
	struct trail_record record = { .kind = TRAIL_MEMBER };

	record.member = (struct trail_member){ .number = TRAIL_NO_NUMBER, .is_over = true,
		                               .cursor = past->cursor, .run_id = past->run_id,
		                               .run_id_length = length_of(past->run_id) };
	put(feed, to, &record);
}

static void
forget_move(struct feed_member *m)
{
	if (m->has_moved)
		TAILQ_REMOVE(&m->feed->moved, m, moved_entry);
	m->has_moved = false;
}

/* Records are short; who notes more than this in a tick has it said anew. */
enum { NOTED_MOST_BYTES = 16 * 1024 * 1024 };

static void
take_noted(struct feed *feed, struct buf *to)
{
	buf_append(to, feed->noted.data, feed->noted.length_bytes);
	if (buf_error(&feed->noted))
		to->error = buf_error(&feed->noted); /* a new segment says all */
	buf_fini(&feed->noted);
}

static void
put_subject(struct trail_subject *subject, struct buf *to, bool all)
{
	struct feed *feed = (struct feed *)((char *)subject - offsetof(struct feed, on_trail));
	struct feed_member *m;
	struct feed_past *past;

	if (all) {
		put_feed(feed, to);
		TAILQ_FOREACH (past, &feed->past_order, entry)
			put_past(feed, past, to);
	}
	/* Where members began is said as well when all is: it holds for earlier ticks. */
	take_noted(feed, to);
	if (all)
		TAILQ_FOREACH (m, &feed->members, entry)
			if (m->is_on_trail)
				put_member(m, to, TRAIL_MEMBER, false);
	while ((m = TAILQ_FIRST(&feed->moved)) != NULL) {
		forget_move(m);
		if (!all)
			put_member(m, to, TRAIL_PLACE, false);
	}
}

enum { PATIENCE_MS = 1000 };

/* What they give waits no longer. */
static void
release(struct feed *feed, bool all)
{
	struct feed_member *m, *next;

	for (m = TAILQ_FIRST(&feed->held); m; m = next) {
		next = TAILQ_NEXT(m, held_entry);
		if (!all && !trail_is_settled(feed->hub->trail, m->begin_tick))
			continue;
		TAILQ_REMOVE(&feed->held, m, held_entry);
		m->is_held = false;
		feed_member_is_ready(m);
	}
	if (TAILQ_EMPTY(&feed->held))
		loop_timer_stop(feed->hub->loop, &feed->held_timer);
}

static void
is_impatient(void *arg)
{
	release(arg, true);
}

static void
told(struct trail_subject *subject)
{
	struct feed *feed = (struct feed *)((char *)subject - offsetof(struct feed, on_trail));

	if (feed_is_ready(feed))
		feed_client_begin_all(feed);
	release(feed, false);
}

void
feed_trail_begin(struct feed *feed)
{
	feed->on_trail.put = put_subject;
	feed->on_trail.told = told;
	feed->on_trail.feed = feed->number;
	trail_add(feed->hub->trail, &feed->on_trail);
}

void
feed_trail_end(struct feed *feed)
{
	/* Where members began is of use to who comes back, also when that is all that became of them. */
	if (feed->is_open)
		trail_remove(feed->hub->trail, &feed->on_trail, &feed->noted);
	buf_fini(&feed->noted);
	loop_timer_stop(feed->hub->loop, &feed->held_timer);
}

static bool
is_kept(const struct feed *feed)
{
	return feed->is_open && trail_dir_fd(feed->hub->trail) >= 0;
}

static struct buf *
room_to_note(struct feed *feed)
{
	trail_note(feed->hub->trail, &feed->on_trail, false);
	if (feed->noted.length_bytes > NOTED_MOST_BYTES)
		feed->noted.error = -ENOBUFS;
	return &feed->noted;
}

void
feed_trail_note_begin(struct feed_member *m)
{
	if (m->is_on_trail || !is_kept(m->feed))
		return;
	m->is_on_trail = true;
	put_member(m, room_to_note(m->feed), TRAIL_MEMBER, true);
	m->begin_tick = trail_note(m->feed->hub->trail, &m->feed->on_trail, true);
	m->is_held = true;
	TAILQ_INSERT_TAIL(&m->feed->held, m, held_entry);
	if (!loop_timer_is_set(&m->feed->held_timer))
		loop_timer_set(m->feed->hub->loop, &m->feed->held_timer, PATIENCE_MS, is_impatient,
		               m->feed);
}

void
feed_trail_note_move(struct feed_member *m)
{
	if (m->has_moved || !is_kept(m->feed))
		return;
	m->has_moved = true;
	TAILQ_INSERT_TAIL(&m->feed->moved, m, moved_entry);
	trail_note(m->feed->hub->trail, &m->feed->on_trail, false);
}

void
feed_trail_forget_member(struct feed_member *m)
{
	forget_move(m);
	if (m->is_held)
		TAILQ_REMOVE(&m->feed->held, m, held_entry);
	m->is_held = false;
}

void
feed_trail_note_over(struct feed *feed, const struct feed_past *past)
{
	if (is_kept(feed))
		put_past(feed, past, room_to_note(feed));
}

void
feed_trail_note_feed(struct feed *feed)
{
	if (is_kept(feed))
		put_feed(feed, room_to_note(feed));
}
