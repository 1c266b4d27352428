#include "stream/trail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "model/trail.h"
#include "store/trail_dir.h"

enum {
	TICK_MS = 250,
	MOST_BYTES_A_S = 512 * 1024, /* more makes the ticks longer */
	SEGMENT_BYTES = 4 * 1024 * 1024,
	/* A new segment repeats all that is known: not before it is but a small part of the last one. */
	SEGMENT_SHARE = 8,
	/* An event is held back until its feed is on record; not for longer where writing takes its time. */
	PATIENCE_MS = 1000,
	RETRY_MS = 1000, /* what could not be written */
	/* Records of those who left while a disk hangs: without them their runs are given from the
	 * beginning. */
	LEFT_MOST_BYTES = 16 * 1024 * 1024,
};

struct trail {
	struct loop *loop;
	struct offload *offload;
	int dir_fd; /* borrowed */
	const int64_t *retention_s; /* borrowed */
	uint64_t number, tick, settled_tick;
	bool is_urgent;
	TAILQ_HEAD(, trail_subject) subjects;
	struct loop_timer timer;
	struct loop_task task;
	struct buf left; /* records of those who left since the last tick */

	uint64_t segment_bytes; /* written to the open one */
	uint64_t segment_limit_bytes;
	bool is_segment_due;    /* the next batch begins one */
	bool is_behind;         /* and is due though nothing has changed */
	struct loop_timer rest_timer;
	struct trail_figures figures;

	/* In a helper thread while is_writing: */
	struct offload_job job;
	bool is_writing;
	bool begins_segment;
	uint64_t writing_tick;
	struct buf bytes;
	int fd; /* of the open segment; -1: none */
	int error;
};

static void tick(void *arg);

/* --- in a helper thread -------------------------------------------------------------------------------- */

static int
open_segment(struct trail *t)
{
	bool is_there;
	struct stat st;
	int fd;

	is_there = t->fd >= 0 && fstat(t->fd, &st) == 0 && st.st_nlink > 0;
	if (!t->begins_segment)
		return is_there ? 0 : -ESTALE; /* removed: what is added to it nobody would find */
	/* While a disk is full the one that could not be begun is tried again: no row of empty ones. */
	if (is_there && st.st_size == 0)
		return 0;
	fd = trail_dir_create(t->dir_fd, t->number, t->writing_tick);
	fd_close(&t->fd);
	if (fd < 0)
		return fd;
	t->fd = fd;
	return 0;
}

static void
write_batch(struct offload_job *job)
{
	struct trail *t = (struct trail *)((char *)job - offsetof(struct trail, job));

	t->error = open_segment(t);
	if (!t->error)
		t->error = fd_write_all(t->fd, t->bytes.data, t->bytes.length_bytes);
}

/* --- in the loop's thread ------------------------------------------------------------------------------ */

static void
tell(struct trail *t, struct trail_subject *s)
{
	if (!s->is_new && s->first_tick <= t->settled_tick) {
		loop_timer_stop(t->loop, &s->patience);
		s->is_on_record = true;
	}
	s->told(s);
}

static void
is_impatient(void *arg)
{
	struct trail_subject *s = arg;

	/* The timer has fired: there is none to be stopped. */
	s->is_on_record = true;
	s->told(s);
}

static bool
is_due(const struct trail *t)
{
	const struct trail_subject *s;

	if (t->left.length_bytes > 0 || (t->is_behind && !TAILQ_EMPTY(&t->subjects)))
		return true;
	TAILQ_FOREACH (s, &t->subjects, entry)
		if (s->is_new || s->has_changed)
			return true;
	return false;
}

static void
schedule(struct trail *t, int64_t delay_ms)
{
	if (!loop_timer_is_set(&t->timer))
		loop_timer_set(t->loop, &t->timer, delay_ms, tick, t);
}

/* Nothing was written for long: what is there gets too old. */
static void
has_rested(void *arg)
{
	struct trail *t = arg;

	t->is_segment_due = true;
	t->is_behind = true;
	tick(t);
}

static void
written(struct offload_job *job)
{
	struct trail *t = (struct trail *)((char *)job - offsetof(struct trail, job));
	int64_t pause_ms = (int64_t)(t->bytes.length_bytes * 1000 / MOST_BYTES_A_S);
	struct trail_subject *s, *next;

	t->is_writing = false;
	if (job->is_dropped)
		t->error = -ECANCELED;
	if (t->error && t->error != -ESTALE && !job->is_dropped) {
		t->figures.error = t->error;
		t->figures.failures++;
	}
	if (t->error) {
		/* What this batch said is missing; the next segment says all. */
		t->is_segment_due = true;
		t->is_behind = true;
	} else {
		t->is_behind = false;
		t->figures.written_bytes += t->bytes.length_bytes;
		t->segment_bytes += t->bytes.length_bytes;
		t->is_segment_due = t->segment_bytes > t->segment_limit_bytes;
	}
	if (job->is_dropped)
		return;
	/* Where it cannot be written nobody is held up. */
	t->settled_tick = t->writing_tick;
	for (s = TAILQ_FIRST(&t->subjects); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		tell(t, s);
	}
	if (!t->error)
		loop_timer_set(t->loop, &t->rest_timer, *t->retention_s * 1000 / 4, has_rested, t);
	else if (t->error != -ESTALE && pause_ms < RETRY_MS)
		pause_ms = RETRY_MS;
	if (t->is_urgent || t->error == -ESTALE)
		loop_defer(t->loop, &t->task, tick, t);
	else if (is_due(t))
		schedule(t, pause_ms > TICK_MS ? pause_ms : TICK_MS);
}

static void
take_down(struct trail *t)
{
	struct trail_subject *s;
	size_t batch;

	t->tick++;
	t->is_urgent = false;
	buf_clear(&t->bytes);
	if (t->begins_segment)
		trail_put_header(&t->bytes, t->number, t->tick);
	batch = trail_begin_batch(&t->bytes, t->tick);
	buf_append(&t->bytes, t->left.data, t->left.length_bytes);
	buf_fini(&t->left);
	TAILQ_FOREACH (s, &t->subjects, entry) {
		bool all = t->begins_segment || s->is_new;

		if (!all && !s->has_changed)
			continue;
		s->put(s, &t->bytes, all);
		if (s->is_new)
			s->first_tick = t->tick;
		s->is_new = false;
		s->has_changed = false;
	}
	trail_end_batch(&t->bytes, batch);
}

static void
tick(void *arg)
{
	struct trail *t = arg;

	if (t->is_writing || !is_due(t))
		return;
	loop_timer_stop(t->loop, &t->timer);
	t->begins_segment = t->is_segment_due;
	take_down(t);
	if (t->begins_segment) {
		uint64_t all_bytes = t->bytes.length_bytes;

		t->segment_bytes = 0;
		t->segment_limit_bytes = all_bytes * SEGMENT_SHARE > SEGMENT_BYTES
		                                 ? all_bytes * SEGMENT_SHARE
		                                 : SEGMENT_BYTES;
	}
	if (buf_error(&t->bytes)) {
		t->figures.failures++;
		t->figures.error = buf_error(&t->bytes);
		t->is_segment_due = true;
		t->is_behind = true;
		schedule(t, TICK_MS);
		return;
	}
	t->is_writing = true;
	t->writing_tick = t->tick;
	offload_submit(t->offload, &t->job, write_batch, written);
}

struct trail *
trail_new(struct loop *loop, struct offload *offload, int dir_fd, const int64_t *retention_s)
{
	struct trail *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->offload = offload;
	t->dir_fd = dir_fd;
	t->retention_s = retention_s;
	t->fd = -1;
	t->is_segment_due = true;
	TAILQ_INIT(&t->subjects);
	/* So that ids are not those of an earlier trail. */
	if (getrandom(&t->number, sizeof(t->number), GRND_NONBLOCK) != (ssize_t)sizeof(t->number))
		t->number = (uint64_t)clock_now_ns() << 16 ^ (uint64_t)clock_wall_ms();
	return t;
}

void
trail_free(struct trail **trail)
{
	struct trail *t = *trail;

	*trail = NULL;
	if (!t)
		return;
	must(TAILQ_EMPTY(&t->subjects) && !t->is_writing);
	loop_timer_stop(t->loop, &t->timer);
	loop_timer_stop(t->loop, &t->rest_timer);
	loop_defer_cancel(t->loop, &t->task);
	buf_fini(&t->bytes);
	buf_fini(&t->left);
	fd_close(&t->fd);
	free(t);
}

void
trail_add(struct trail *t, struct trail_subject *s)
{
	s->is_new = true;
	TAILQ_INSERT_TAIL(&t->subjects, s, entry);
	if (t->dir_fd < 0) {
		s->is_on_record = true;
		s->is_new = false;
		return;
	}
	loop_timer_set(t->loop, &s->patience, PATIENCE_MS, is_impatient, s);
	/* At the end of this turn: what else is made in it is put as well. */
	loop_defer(t->loop, &t->task, tick, t);
}

void
trail_remove(struct trail *t, struct trail_subject *s, const struct buf *last)
{
	loop_timer_stop(t->loop, &s->patience);
	TAILQ_REMOVE(&t->subjects, s, entry);
	if (t->dir_fd < 0 || last->length_bytes == 0)
		return;
	if (t->left.length_bytes + last->length_bytes > LEFT_MOST_BYTES)
		buf_fini(&t->left);
	buf_append(&t->left, last->data, last->length_bytes);
	if (!t->is_writing)
		schedule(t, 0);
}

uint64_t
trail_note(struct trail *t, struct trail_subject *s, bool at_once)
{
	if (t->dir_fd < 0)
		return 0;
	s->has_changed = true;
	t->is_urgent |= at_once;
	if (!t->is_writing && at_once)
		loop_defer(t->loop, &t->task, tick, t);
	else if (!t->is_writing)
		schedule(t, TICK_MS);
	return t->tick + 1;
}

bool
trail_is_settled(const struct trail *t, uint64_t tick_number)
{
	return t->dir_fd < 0 || t->settled_tick >= tick_number;
}

struct feed_point
trail_point(const struct trail *t, const struct trail_subject *s)
{
	return (struct feed_point){ .trail = t->number, .feed = s->feed, .tick = t->tick };
}

struct trail_figures
trail_figures(const struct trail *t)
{
	return t->figures;
}

int
trail_dir_fd(const struct trail *t)
{
	return t->dir_fd;
}
