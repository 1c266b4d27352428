#include "stream/trail_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/must.h"
#include "store/trail_dir.h"

enum {
	VIEWS_KEPT = 16,
	READING_MOST = 4,                      /* at once */
	SEGMENT_MOST_BYTES = 256 * 1024 * 1024, /* more is no segment of ours */
	/* Before a segment that cannot be read one may lie that can. */
	SEGMENTS_TRIED = 16,
	/* Of views, in use or kept. With more than the first, those that are kept must do, also where they
	 * are of an earlier tick; with more than the second who comes is to come later. */
	VIEWS_ENOUGH_BYTES = 64 * 1024 * 1024,
	VIEWS_MOST_BYTES = 256 * 1024 * 1024,
};

/* One segment being read, for one point. */
struct reading {
	struct offload_job job;
	struct trail_reader *reader;
	int dir_fd;
	struct trail_view *view; /* owned; as far as it is known */
	bool has_feed;
	TAILQ_ENTRY(reading) entry;
};

struct trail_reader {
	struct offload *offload;
	int dir_fd;
	TAILQ_HEAD(, trail_view) views; /* those not used for longest come first */
	size_t view_count, view_bytes;
	TAILQ_HEAD(, reading) readings;
	size_t reading_count;
	TAILQ_HEAD(, trail_waiter) waiters;
	size_t waiter_count;
};

/* --- views ---------------------------------------------------------------------------------------------- */

static void
forget_all(struct trail_view *view)
{
	struct trail_place *place, *next;

	HASH_CLEAR(by_number, view->by_number);
	HASH_ITER (by_run, view->by_run, place, next) {
		HASH_DELETE(by_run, view->by_run, place);
		free(place);
	}
	free((char *)(uintptr_t)view->of.project_id);
	free((char *)(uintptr_t)view->of.task_id);
	view->of = (struct trail_feed){ .project_id = NULL };
	view->tick = view->next_tick = 0;
	view->bytes = 0;
}

static void
free_view(struct trail_view *view)
{
	view->reader->view_bytes -= view->bytes;
	forget_all(view);
	free(view);
}

void
trail_view_unref(struct trail_view **view)
{
	struct trail_view *v = *view;

	*view = NULL;
	if (!v)
		return;
	must(v->references > 0);
	if (--v->references == 0)
		free_view(v);
}

const struct trail_place *
trail_view_find(const struct trail_view *view, const char *run_id)
{
	struct trail_place *place;

	HASH_FIND(by_run, view->by_run, run_id, strlen(run_id), place);
	return place;
}

const struct trail_place *
trail_view_member(const struct trail_view *view, uint32_t number)
{
	struct trail_place *place;

	HASH_FIND(by_number, view->by_number, &number, sizeof(number), place);
	return place;
}

/* --- in a helper thread ----------------------------------------------------------------------------------- */

static int
keep_text(const char **to, const char *text, uint8_t length)
{
	char *copy = strndup(text, length);

	if (!copy)
		return -ENOMEM;
	free((char *)(uintptr_t)*to);
	*to = copy;
	return 0;
}

static int
take_feed(struct trail_view *view, const struct trail_feed *feed)
{
	struct trail_feed kept = *feed;
	int error;

	kept.project_id = view->of.project_id;
	kept.task_id = view->of.task_id;
	error = keep_text(&kept.project_id, feed->project_id, feed->project_length);
	if (!error)
		error = keep_text(&kept.task_id, feed->task_id, feed->task_length);
	view->of = kept;
	return error;
}

static void
set_number(struct trail_view *view, struct trail_place *place, uint32_t number)
{
	struct trail_place *old;

	if (place->number != TRAIL_NO_NUMBER)
		HASH_DELETE(by_number, view->by_number, place);
	place->number = TRAIL_NO_NUMBER;
	if (number == TRAIL_NO_NUMBER)
		return;
	HASH_FIND(by_number, view->by_number, &number, sizeof(number), old);
	if (old) { /* numbers are given once: this is no trail of ours, but it does no harm */
		HASH_DELETE(by_number, view->by_number, old);
		old->number = TRAIL_NO_NUMBER;
	}
	place->number = number;
	HASH_ADD(by_number, view->by_number, number, sizeof(place->number), place);
}

static int
take_member(struct trail_view *view, const struct trail_member *member, bool is_later)
{
	struct trail_place *place;

	HASH_FIND(by_run, view->by_run, member->run_id, member->run_id_length, place);
	if (is_later && (!member->begins || place))
		return 0;
	if (!place) {
		place = calloc(1, sizeof(*place) + member->run_id_length + 1U);
		if (!place)
			return -ENOMEM;
		memcpy(place->run_id, member->run_id, member->run_id_length);
		place->number = TRAIL_NO_NUMBER;
		view->bytes += sizeof(*place) + member->run_id_length;
		HASH_ADD_KEYPTR(by_run, view->by_run, place->run_id, member->run_id_length, place);
	}
	set_number(view, place, member->number);
	place->is_over = member->is_over;
	place->cursor = member->cursor;
	return 0;
}

static void
take_place(struct trail_view *view, const struct trail_member *member)
{
	struct trail_place *place;

	HASH_FIND(by_number, view->by_number, &member->number, sizeof(member->number), place);
	if (!place)
		return;
	place->is_over = member->is_over;
	place->cursor = member->cursor;
}

/* is_later: than the tick; but where a run begins in the feed was so before as well. */
static int
take_batch(struct reading *r, struct trail_batch *batch, bool is_later)
{
	struct trail_view *view = r->view;
	struct trail_record record;
	int error = 0;

	while (!error && trail_next_record(batch, &record)) {
		if (record.feed != view->point.feed)
			continue;
		switch (record.kind) {
		case TRAIL_FEED:
			if (!is_later || !r->has_feed)
				error = take_feed(view, &record.of);
			r->has_feed = true;
			break;
		case TRAIL_MEMBER:
			error = take_member(view, &record.member, is_later);
			break;
		case TRAIL_PLACE:
			if (!is_later)
				take_place(view, &record.member);
			break;
		}
	}
	return error;
}

static int
take_segment(struct reading *r, const char *bytes, size_t length)
{
	struct trail_view *view = r->view;
	size_t at = TRAIL_HEADER_BYTES;
	struct trail_batch batch;
	uint64_t trail, first_tick;
	bool has_any = false;
	int error = trail_read_header(bytes, length, &trail, &first_tick);

	if (!error && trail != view->point.trail)
		error = -EBADMSG;
	while (!error && trail_next_batch(bytes, length, &at, &batch)) {
		bool is_later = batch.tick > view->point.tick;

		/* Nothing of that time in it: what it begins with was not written, or is torn. */
		if (is_later && !has_any)
			break;
		has_any = true;
		if (!is_later)
			view->tick = batch.tick;
		else if (view->next_tick == 0)
			view->next_tick = batch.tick;
		error = take_batch(r, &batch, is_later);
	}
	return !error && !r->has_feed ? -ENOENT : error;
}

static int
read_one(struct reading *r, uint64_t tick, uint64_t *ret_first_tick)
{
	char *bytes = NULL;
	size_t length;
	int fd = -1, error;

	error = trail_dir_open(r->dir_fd, r->view->point.trail, tick, ret_first_tick, &fd);
	if (error == -ENOENT)
		return -ENODATA; /* nor is there one before it */
	if (!error)
		error = fd_read_all(fd, SEGMENT_MOST_BYTES, &bytes, &length);
	if (!error)
		error = take_segment(r, bytes, length);
	free(bytes);
	fd_close(&fd);
	return error;
}

static void
read_segment(struct offload_job *job)
{
	struct reading *r = (struct reading *)job;
	uint64_t tick = r->view->point.tick, first_tick;
	int error = 0;

	for (int i = 0; i < SEGMENTS_TRIED; i++) {
		error = read_one(r, tick, &first_tick);
		/* It may be read later. */
		if (!error || error == -ENODATA || error == -ENOMEM || error == -EMFILE || error == -ENFILE)
			break;
		/* Not one that we can read: as if it were not there. */
		forget_all(r->view);
		r->has_feed = false;
		if (first_tick == 0)
			break;
		tick = first_tick - 1;
	}
	if (error && error != -ENOMEM && error != -EMFILE && error != -ENFILE)
		error = -ENOENT;
	if (error)
		forget_all(r->view);
	r->view->error = error;
}

/* --- in the loop's thread ---------------------------------------------------------------------------------- */

static void
keep_view(struct trail_reader *reader, struct trail_view *view)
{
	struct trail_view *oldest;

	TAILQ_INSERT_TAIL(&reader->views, view, entry);
	if (++reader->view_count <= VIEWS_KEPT)
		return;
	oldest = TAILQ_FIRST(&reader->views);
	TAILQ_REMOVE(&reader->views, oldest, entry);
	reader->view_count--;
	trail_view_unref(&oldest);
}

static void
tell_waiters(struct trail_reader *reader)
{
	/* Some of them will wait again. */
	for (size_t count = reader->waiter_count; count > 0 && !TAILQ_EMPTY(&reader->waiters); count--) {
		struct trail_waiter *waiter = TAILQ_FIRST(&reader->waiters);

		trail_reader_leave(reader, waiter);
		waiter->fn(waiter->arg);
	}
}

static void
segment_was_read(struct offload_job *job)
{
	struct reading *r = (struct reading *)job;
	struct trail_reader *reader = r->reader;
	bool is_dropped = job->is_dropped;

	TAILQ_REMOVE(&reader->readings, r, entry);
	reader->reading_count--;
	reader->view_bytes += r->view->bytes;
	if (is_dropped)
		trail_view_unref(&r->view);
	else /* also one that could not be read: for who waits for it */
		keep_view(reader, r->view);
	free(r);
	if (!is_dropped)
		tell_waiters(reader);
}

static bool
is_same_feed(const struct feed_point *a, const struct feed_point *b)
{
	return a->trail == b->trail && a->feed == b->feed;
}

static struct trail_view *
find_view(struct trail_reader *reader, const struct feed_point *point)
{
	struct trail_view *view;

	TAILQ_FOREACH (view, &reader->views, entry)
		if (is_same_feed(&view->point, point) &&
		    (view->point.tick == point->tick ||
		     (!view->error && view->tick <= point->tick && point->tick < view->next_tick)))
			return view;
	return NULL;
}

/* The best of those that are kept and say less. */
static struct trail_view *
find_earlier_view(struct trail_reader *reader, const struct feed_point *point)
{
	struct trail_view *view, *best = NULL;

	TAILQ_FOREACH (view, &reader->views, entry)
		if (!view->error && is_same_feed(&view->point, point) && view->tick <= point->tick &&
		    (!best || view->tick > best->tick))
			best = view;
	return best;
}

static bool
is_being_read(const struct trail_reader *reader, const struct feed_point *point)
{
	const struct reading *r;

	TAILQ_FOREACH (r, &reader->readings, entry)
		if (is_same_feed(&r->view->point, point) && r->view->point.tick == point->tick)
			return true;
	return false;
}

static int
begin_reading(struct trail_reader *reader, const struct feed_point *point)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->view = calloc(1, sizeof(*r->view));
	if (!r->view) {
		free(r);
		return -ENOMEM;
	}
	r->reader = reader;
	r->dir_fd = reader->dir_fd;
	r->view->reader = reader;
	r->view->references = 1;
	r->view->point = *point;
	TAILQ_INSERT_TAIL(&reader->readings, r, entry);
	reader->reading_count++;
	offload_submit(reader->offload, &r->job, read_segment, segment_was_read);
	return 0;
}

static void
wait_for_it(struct trail_reader *reader, struct trail_waiter *waiter)
{
	if (waiter->is_waiting)
		return;
	TAILQ_INSERT_TAIL(&reader->waiters, waiter, entry);
	reader->waiter_count++;
	waiter->is_waiting = true;
}

int
trail_reader_find(struct trail_reader *reader, const struct feed_point *point,
                  struct trail_waiter *waiter, struct trail_view **ret_view)
{
	struct trail_view *view = find_view(reader, point);
	int error;

	if (reader->dir_fd < 0)
		return -ENOENT;
	if (!view && reader->view_bytes > VIEWS_ENOUGH_BYTES)
		view = find_earlier_view(reader, point);
	if (!view && reader->view_bytes > VIEWS_MOST_BYTES)
		return -EBUSY;
	if (view && view->error == -ENOENT)
		return -ENOENT;
	if (view && view->error) {
		/* Who comes later may have more luck. */
		error = view->error;
		TAILQ_REMOVE(&reader->views, view, entry);
		reader->view_count--;
		trail_view_unref(&view);
		return error;
	}
	if (view) {
		TAILQ_REMOVE(&reader->views, view, entry);
		TAILQ_INSERT_TAIL(&reader->views, view, entry);
		view->references++;
		*ret_view = view;
		return 0;
	}
	if (!is_being_read(reader, point) && reader->reading_count < READING_MOST) {
		error = begin_reading(reader, point);
		if (error)
			return error;
	}
	wait_for_it(reader, waiter);
	return -EAGAIN;
}

void
trail_reader_leave(struct trail_reader *reader, struct trail_waiter *waiter)
{
	if (!waiter->is_waiting)
		return;
	TAILQ_REMOVE(&reader->waiters, waiter, entry);
	reader->waiter_count--;
	waiter->is_waiting = false;
}

struct trail_reader *
trail_reader_new(struct offload *offload, int dir_fd)
{
	struct trail_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->offload = offload;
	reader->dir_fd = dir_fd;
	TAILQ_INIT(&reader->views);
	TAILQ_INIT(&reader->readings);
	TAILQ_INIT(&reader->waiters);
	return reader;
}

void
trail_reader_free(struct trail_reader **reader)
{
	struct trail_reader *r = *reader;
	struct trail_view *view;

	*reader = NULL;
	if (!r)
		return;
	must(TAILQ_EMPTY(&r->waiters) && TAILQ_EMPTY(&r->readings));
	while ((view = TAILQ_FIRST(&r->views)) != NULL) {
		TAILQ_REMOVE(&r->views, view, entry);
		must(view->references == 1);
		trail_view_unref(&view);
	}
	free(r);
}
