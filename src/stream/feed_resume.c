/*
 * Where a client that comes back to a feed goes on in each run: by what the trail says of its id, and by
 * what the registry says of runs that the trail does not know. Where both leave a doubt the run is
 * given from its beginning: a line may come twice, but none is missed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/feed_state.h"

enum {
	/* Where the registry has seen the run itself, times of files are off by no more than they are
	 * rounded. */
	WRITTEN_ROUNDED_MS = 1000,
	GONE_TEXT_BYTES = 16 * 1024,
};

/* Before a place: back to where its file begins. */
#define ALL_ENTRIES UINT32_MAX

struct feed_resume *
feed_resume_new(const struct feed_id *id, struct feed_client *client)
{
	struct feed_resume *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->id = *id;
	r->waiter.fn = feed_client_wake;
	r->waiter.arg = client;
	return r;
}

void
feed_resume_free(struct feed_resume **resume, struct hub *hub)
{
	struct feed_resume *r = *resume;

	*resume = NULL;
	if (!r)
		return;
	trail_reader_leave(hub->trail_reader, &r->waiter);
	trail_view_unref(&r->left);
	trail_view_unref(&r->base);
	buf_fini(&r->statuses);
	free(r);
}

/* --- reading the trail -------------------------------------------------------------------------------- */

static bool
is_same(const char *wanted, const char *was)
{
	return strcmp(wanted ? wanted : "", was) == 0;
}

static bool
is_of(const struct feed *feed, const struct trail_view *view)
{
	return view->of.kind == feed_trail_kind(feed) && view->of.files == feed->files &&
	       view->of.is_of_task == (feed->task_id != NULL) &&
	       is_same(feed->project_id, view->of.project_id) && is_same(feed->task_id, view->of.task_id);
}

static int
find_view(struct feed_client *client, const struct feed_point *point, struct trail_view **view)
{
	int error;

	if (*view)
		return 0;
	error = trail_reader_find(client->feed->hub->trail_reader, point, &client->resume->waiter, view);
	return !error && !is_of(client->feed, *view) ? -EINVAL : error;
}

int
feed_resume_find(struct feed_client *client)
{
	struct feed_resume *r = client->resume;
	int error = 0;

	if (r->is_known)
		return 0;
	/* Another registry has other slots: all are walked again, then. */
	r->has_left = r->id.is_walk && r->id.registry == registry_epoch(feed_registry(client->feed));
	if (!r->id.is_walk) {
		error = find_view(client, &r->id.point, &r->base);
	} else {
		if (r->has_left || r->id.begins)
			error = find_view(client, &r->id.point, &r->left);
		if (!error && !r->id.begins)
			error = find_view(client, &r->id.base, &r->base);
	}
	if (error)
		return error;
	r->is_known = true;
	r->gone = r->base ? r->base->by_run : NULL;
	return 0;
}

/* --- where a run begins ------------------------------------------------------------------------------- */

/* All that it wrote until its end was given, as far as is known. */
static bool
is_at_ending(const struct feed *feed, const struct trail_place *place, const struct registry_run *run)
{
	if (!run->ending.is_known || run->ending.is_outdated)
		return false;
	for (int i = 0; i < CURSOR_FILES; i++) {
		enum registry_file file = feed_registry_file(feed, (enum cursor_file)i);
		const struct cursor_mark *mark = &place->cursor.files[i].mark;

		if (!(feed->files & 1U << i))
			continue;
		if (place->cursor.files[i].has_mark ? mark->offset != run->ending.files[file].bytes ||
		                                              mark->identity !=
		                                                      run->ending.files[file].identity
		                                    : run->ending.files[file].identity != 0)
			return false;
	}
	return true;
}

static bool
was_written_since(const struct registry_run *run, int64_t since_ms)
{
	int64_t last_ms = run->ending.is_known ? run->ending.written_ms : run->end_time_ms;

	/* A run whose files are not there wrote nothing; but its end may be news. */
	if (run->end_time_ms > last_ms)
		last_ms = run->end_time_ms;
	return last_ms == 0 ? !run->ending.is_known : last_ms >= since_ms;
}

/* What was written before the id was sent does not count; as far as times can be believed. */
static int64_t
since_ms(const struct trail_view *view)
{
	return view->of.horizon_ms - FEED_WRITTEN_MS;
}

/* A run that the trail does not know: not yet, or it was of no interest. */
static bool
is_new(const struct trail_view *view, const struct registry_run *run, const struct registry *registry)
{
	bool is_comparable = view->of.registry == registry_epoch(registry);

	if (is_comparable && (run->first_seen_ms >= view->of.horizon_ms || run->slot >= view->of.horizon_slots))
		return true;
	if (run->is_terminal)
		return was_written_since(run, view->of.horizon_ms -
		                                      (is_comparable ? WRITTEN_ROUNDED_MS : FEED_WRITTEN_MS));
	/* It may have been found, but nothing of it as yet; or there was no room for it, as was told. */
	return !view->of.has_left_out || run->start_time_ms >= view->of.horizon_ms;
}

/* As feed_resume_start(). tail: so many entries before. */
static bool
start_by(const struct feed *feed, const struct trail_view *view, const struct registry_run *run,
         uint64_t tail_entries, struct start *ret_start)
{
	const struct trail_place *place = trail_view_find(view, run->run_id);

	if (place && !place->cursor.files[0].has_mark && !place->cursor.files[1].has_mark) {
		/* There was no file yet. */
		*ret_start = (struct start){ .kind = START_OLDEST, .since_ms = since_ms(view) };
		return true;
	}
	if (place) {
		*ret_start = (struct start){ .kind = START_CURSOR, .cursor = place->cursor,
			                     .has_no_older = true, .since_ms = since_ms(view),
			                     .tail_lines = tail_entries };
		return tail_entries > 0 || !place->is_over || !run->is_terminal ||
		       !is_at_ending(feed, place, run);
	}
	if (is_new(view, run, feed_registry(feed))) {
		*ret_start = feed_start_when_new(feed, run, view->of.horizon_ms);
		/* (What was rotated away since is its beginning.) */
		if (ret_start->kind == START_BEGINNING)
			*ret_start = (struct start){ .kind = START_OLDEST, .since_ms = since_ms(view) };
		return true;
	}
	/* One that was over was to be given its last lines, too. */
	*ret_start = (struct start){ .kind = START_TAIL, .tail_lines = tail_entries };
	return tail_entries > 0;
}

/* The place that the id names is further than what the trail says. */
static void
put_own_mark(const struct feed *feed, const struct feed_id *id, struct start *start)
{
	struct cursor_mark *mark = &start->cursor.files[id->file].mark;

	if (!(feed->files & 1U << id->file))
		return;
	if (start->kind == START_ENDING)
		*start = (struct start){ .kind = START_CURSOR, .cursor = start->cursor,
			                 .noted_files = feed->files, .since_ms = start->since_ms };
	else if (start->kind != START_CURSOR)
		*start = (struct start){ .kind = START_CURSOR, .has_no_older = start->kind == START_OLDEST,
			                 .since_ms = start->since_ms };
	start->noted_files &= ~(1U << id->file);
	start->cursor.files[id->file].has_mark = true;
	*mark = id->mark;
	/* (What the trail has counted may be of another file.) */
	start->cursor.files[id->file].lines = id->lines > 0 ? id->lines : id->mark.is_finished;
	start->exact_files |= 1U << id->file;
}

/* In the same file, or in one that was not there yet. (One that follows another is not told from one
 * that was before: the trail is believed.) */
static bool
is_further(const struct feed_id *id, const struct trail_place *place)
{
	const struct cursor_mark *mark = &place->cursor.files[id->file].mark;

	return !place->cursor.files[id->file].has_mark ||
	       (mark->identity == id->mark.identity && mark->offset <= id->mark.offset);
}

/* The beginning of the file that there was then, wherever it is by now. */
static struct start
start_of_file(const struct feed_client *client, const struct registry_run *run)
{
	const struct feed_resume *r = client->resume;
	const struct trail_place *place = trail_view_find(r->left, run->run_id);
	bool is_at_hand = r->has_left && run->slot == r->id.slot && r->id.has_mark;

	if (place && !is_at_hand && (place->cursor.files[0].has_mark || place->cursor.files[1].has_mark))
		return (struct start){ .kind = START_CURSOR, .cursor = place->cursor,
			               .has_no_older = true, .since_ms = since_ms(r->left),
			               .tail_lines = ALL_ENTRIES };
	if (!place && !is_at_hand && is_new(r->left, run, feed_registry(client->feed)))
		return (struct start){ .kind = START_OLDEST, .since_ms = since_ms(r->left) };
	return (struct start){ .kind = START_BEGINNING };
}

static bool
start_of_others(const struct feed_client *client, const struct registry_run *run, struct start *ret_start)
{
	const struct feed_resume *r = client->resume;
	const struct trail_place *place;
	bool is_wanted;

	if (!r->base) {
		*ret_start = start_of_file(client, run);
		return true;
	}
	is_wanted = start_by(client->feed, r->base, run, r->id.is_walk ? r->id.tail_entries : 0,
	                     ret_start);
	if (r->id.is_walk || !r->id.has_member || !r->id.has_mark)
		return is_wanted;
	place = trail_view_member(r->base, r->id.member);
	if (place && strcmp(place->run_id, run->run_id) == 0 && is_further(&r->id, place))
		put_own_mark(client->feed, &r->id, ret_start);
	return is_wanted;
}

bool
feed_resume_start(const struct feed_client *client, const struct registry_run *run,
                  struct start *ret_start)
{
	const struct feed_resume *r = client->resume;
	bool is_wanted;

	if (r->has_left && run->slot < r->id.slot)
		return start_by(client->feed, r->left, run, 0, ret_start);
	is_wanted = start_of_others(client, run, ret_start);
	if (r->has_left && run->slot == r->id.slot && r->id.has_mark) {
		put_own_mark(client->feed, &r->id, ret_start);
		is_wanted = true;
	}
	return is_wanted;
}

void
feed_resume_describe(const struct feed_client *client, struct feed_id *id)
{
	const struct feed_resume *r = client->resume;

	id->begins = false;
	id->tail_entries = r->id.is_walk ? r->id.tail_entries : 0;
	id->base = r->id.is_walk ? r->id.base : r->id.point;
	if (r->id.is_walk && r->id.begins) {
		/* Of those that were not come to, the file that there was when it came first. */
		id->tail_entries = ALL_ENTRIES;
		id->base = r->id.point;
	}
}

/* --- runs that are no more ------------------------------------------------------------------------------ */

static bool
is_gone(const struct feed *feed, const struct trail_place *place, struct registry_run *ret_run)
{
	int error;

	if (place->is_over)
		return false;
	error = registry_find(feed_registry(feed), place->run_id, ret_run);
	if (error == -ENOENT)
		*ret_run = (struct registry_run){ .is_deleted = true };
	else if (error || feed_member_at(feed, ret_run->slot))
		return false; /* as long as it is in the feed, that tells its end */
	return ret_run->is_deleted;
}

enum stream_answer
feed_resume_next_gone(struct feed_client *client, struct block **ret_block)
{
	struct feed_resume *r = client->resume;
	struct buf text = BUF_INIT;

	for (; r->gone && text.length_bytes < GONE_TEXT_BYTES;
	     r->gone = (const struct trail_place *)r->gone->by_run.next) {
		struct registry_run run;

		if (is_gone(client->feed, r->gone, &run)) {
			struct event_run of = { .run_id = client->feed->kind->is_of_bus ? ""
				                                                        : r->gone->run_id,
				                .project_id = run.project_id, .task_id = run.task_id };

			event_put_gone(&text, &of);
		}
	}
	if (text.length_bytes == 0)
		return STREAM_END;
	*ret_block = block_take(&text);
	return *ret_block ? STREAM_BLOCK : STREAM_END;
}
