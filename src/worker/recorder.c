#include "worker/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/must.h"
#include "follow/hash_table.h"
#include "shm/bell.h"
#include "worker/recorder_job.h"
#include "worker/worker_state.h"

enum {
	THREADS = 32,
	/* Posts that wait: for one run, and of a worker. */
	RUN_POSTS = 512,
	ALL_POSTS = 4096,
	JOB_BYTES = 4 * 1024 * 1024, /* of bodies in one job, but for a longer one alone */
	/* Runs that are remembered without a job: what was read of their files is of use to the
	 * next one. */
	IDLE_RUNS = 32,
	FAILURE_WARNING_MS = 10000,
};

struct waiter {
	struct pending_answer pending;
	struct connection *connection; /* NULL: it is gone */
	struct recorder_post *post;    /* owned */
	struct recorder_result result;
	TAILQ_ENTRY(waiter) entry;
};

TAILQ_HEAD(waiters, waiter);

/* What is recorded one after the other: the posts to a run, or one that makes a run. */
struct line {
	struct offload_job offload_job;
	struct recorder *recorder;
	char *path; /* of the run's folder, and its name in the table; NULL: makes a run */
	struct recording_cache *cache;
	struct waiters waiting, working;
	size_t waiting_count;
	bool is_busy;
	struct recording recording; /* as of the job */
	struct recorder_job job;
	UT_hash_handle hh;
	TAILQ_ENTRY(line) idle_entry;
};

struct recorder {
	struct worker *worker;
	struct offload *offload;
	recorder_answer_fn *answer;
	int runs_dir_fd;             /* borrowed */
	char *run_info, *events;     /* names; of its own, as a reload replaces the settings' */
	struct line *lines;          /* those with a path, by it */
	TAILQ_HEAD(, line) idle;     /* the one that was idle for longest first */
	size_t idle_count, post_count;
	int64_t warned_ms;
};

/* --- posts ------------------------------------------------------------------------------------------ */

static void
post_free(struct recorder_post **post)
{
	body_fini(&(*post)->body);
	free(*post);
	*post = NULL;
}

static void
forget_connection(struct pending_answer *pending)
{
	struct waiter *w = (struct waiter *)pending;

	w->connection = NULL;
}

static void
waiter_free(struct recorder *r, struct waiters *list, struct waiter *w)
{
	TAILQ_REMOVE(list, w, entry);
	post_free(&w->post);
	free(w);
	r->post_count--;
}

/* --- lines ------------------------------------------------------------------------------------------ */

static void
line_free(struct line **line)
{
	struct line *l = *line;

	*line = NULL;
	must(TAILQ_EMPTY(&l->waiting) && TAILQ_EMPTY(&l->working));
	if (l->path)
		HASH_DEL(l->recorder->lines, l);
	recording_cache_free(&l->cache);
	free(l->path);
	free(l);
}

/* path: NULL for one that makes a run. Returns borrowed, or NULL without memory. */
static struct line *
line_new(struct recorder *r, const char *path)
{
	struct line *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->recorder = r;
	TAILQ_INIT(&l->waiting);
	TAILQ_INIT(&l->working);
	if (!path)
		return l;
	l->path = strdup(path);
	l->cache = recording_cache_new();
	if (!l->path || !l->cache) {
		recording_cache_free(&l->cache);
		free(l->path);
		free(l);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, r->lines, l->path, strlen(l->path), l);
	return l;
}

/* The line of a run, taken from the idle ones if it was there. */
static struct line *
line_get(struct recorder *r, const struct registry_run *run)
{
	char path[RECORDER_PATH_BYTES];
	struct line *l;

	registry_run_path(run, path, sizeof(path));
	HASH_FIND(hh, r->lines, path, strlen(path), l);
	if (!l)
		return line_new(r, path);
	if (!l->is_busy) {
		TAILQ_REMOVE(&r->idle, l, idle_entry);
		r->idle_count--;
	}
	return l;
}

static void
line_rest(struct line *l)
{
	struct recorder *r = l->recorder;

	if (!l->path) {
		line_free(&l);
		return;
	}
	TAILQ_INSERT_TAIL(&r->idle, l, idle_entry);
	if (++r->idle_count > IDLE_RUNS) {
		struct line *oldest = TAILQ_FIRST(&r->idle);

		TAILQ_REMOVE(&r->idle, oldest, idle_entry);
		r->idle_count--;
		line_free(&oldest);
	}
}

void
recorder_files(const struct recorder *r, struct recording *ret_recording)
{
	*ret_recording = (struct recording){
		.runs_dir_fd = r->runs_dir_fd,
		.run_info = r->run_info,
		.events = r->events,
		.durability = settings_recording_is_synced(&r->worker->settings) ? RECORDING_SYNCED
		                                                                 : RECORDING_WRITTEN,
	};
}

/* --- jobs ------------------------------------------------------------------------------------------- */

static void done(struct offload_job *offload_job);

static void
work(struct offload_job *offload_job)
{
	recorder_job_do(&((struct line *)offload_job)->job);
}

/* What waits longest goes first; and all events that wait behind it go with events. */
static void
gather(struct line *l)
{
	struct waiter *w;
	size_t bytes = 0;

	l->job.count = 0;
	while ((w = TAILQ_FIRST(&l->waiting)) != NULL && l->job.count < RECORDER_JOB_POSTS) {
		const struct recorder_post *first = l->job.count > 0 ? l->job.posts[0] : NULL;

		bytes += w->post->body.expected_bytes;
		if (first && (first->action != RECORDER_APPEND ||
		              w->post->action != RECORDER_APPEND || bytes > JOB_BYTES))
			return;
		TAILQ_REMOVE(&l->waiting, w, entry);
		l->waiting_count--;
		TAILQ_INSERT_TAIL(&l->working, w, entry);
		l->job.posts[l->job.count] = w->post;
		l->job.results[l->job.count++] = &w->result;
	}
}

static void
submit(struct line *l)
{
	struct recorder *r = l->recorder;

	gather(l);
	l->is_busy = true;
	recorder_files(r, &l->recording);
	l->job.recording = &l->recording;
	l->job.registry = r->worker->registry;
	l->job.path = l->path;
	l->job.cache = l->cache;
	offload_submit(r->offload, &l->offload_job, work, done);
}

/* What the administrator should know of; who posted is told in any case. */
static void
warn(struct line *l, int error)
{
	struct recorder *r = l->recorder;
	int64_t now_ms = loop_now_ms(r->worker->loop);

	switch (-error) {
	case 0: case EINVAL: case E2BIG: case EEXIST: case EPERM: case ENOENT: case EBUSY:
		return;
	default:
		break;
	}
	if (r->warned_ms > 0 && now_ms - r->warned_ms < FAILURE_WARNING_MS)
		return;
	r->warned_ms = now_ms;
	log_warning("recording_failed", "run=\"%s\" error=\"%s\"", l->path ? l->path : "",
	            strerror(-error));
}

/* The registry is to know a new run, and a new status, at once. */
static void
tell_discovery(const struct recorder *r, const struct recorder_post *post)
{
	struct registry_run run;

	if (post->action == RECORDER_CREATE || registry_find(r->worker->registry, post->run_id, &run) < 0)
		bell_ring(r->worker->discovery_bell_fd, BELL_NEW);
	else
		bell_ring(r->worker->discovery_bell_fd, run.slot);
}

/* Counts, answers and frees one that was worked for. */
static void
finish(struct line *l, struct waiter *w)
{
	struct recorder *r = l->recorder;
	struct counters_values *counters = peers_counters(r->worker->peers);
	struct connection *c = w->connection;
	struct recorder_result result = w->result;
	enum recorder_action action = w->post->action;

	warn(l, result.error);
	counters->events_recorded += result.recorded;
	if (result.error)
		counters->posts_refused++;
	else
		counters->posts++;
	if (!result.error && action != RECORDER_APPEND)
		tell_discovery(r, w->post);
	waiter_free(r, &l->working, w);
	if (c) {
		c->pending = NULL;
		r->answer(c, action, &result);
	}
}

static void
drop(struct line *l)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&l->working)) != NULL)
		waiter_free(l->recorder, &l->working, w);
	while ((w = TAILQ_FIRST(&l->waiting)) != NULL)
		waiter_free(l->recorder, &l->waiting, w);
	l->is_busy = false;
	line_free(&l);
}

static void
done(struct offload_job *offload_job)
{
	struct line *l = (struct line *)offload_job;
	struct recorder *r = l->recorder;
	struct waiter *w;

	if (!r->offload) { /* the recorder ends: the connections are gone */
		drop(l);
		return;
	}
	peers_counters(r->worker->peers)->recording_jobs++;
	while ((w = TAILQ_FIRST(&l->working)) != NULL)
		finish(l, w);
	l->is_busy = false;
	if (TAILQ_EMPTY(&l->waiting))
		line_rest(l);
	else
		submit(l);
}

bool
recorder_submit(struct recorder *r, struct connection *c, const struct registry_run *run)
{
	struct recorder_post *post = (struct recorder_post *)c->body;
	struct line *l = NULL;
	struct waiter *w;

	if (r->post_count >= ALL_POSTS)
		return false;
	l = run ? line_get(r, run) : line_new(r, NULL);
	if (!l)
		return false;
	w = l->waiting_count < RUN_POSTS ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		if (!l->is_busy)
			line_rest(l);
		return false;
	}
	w->post = post;
	w->connection = c;
	w->pending.drop = forget_connection;
	w->pending.outlasts_drain = true;
	c->body = NULL;
	c->pending = &w->pending;
	TAILQ_INSERT_TAIL(&l->waiting, w, entry);
	l->waiting_count++;
	r->post_count++;
	if (!l->is_busy)
		submit(l);
	return true;
}

/* --- life --------------------------------------------------------------------------------------------- */

int
recorder_new(struct worker *worker, int runs_dir_fd, recorder_answer_fn *answer,
             struct recorder **ret_recorder)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int error = -ENOMEM;

	if (!r)
		return -ENOMEM;
	TAILQ_INIT(&r->idle);
	r->worker = worker;
	r->runs_dir_fd = runs_dir_fd;
	r->answer = answer;
	r->run_info = strdup(worker->settings.storage.files.run_info);
	r->events = strdup(worker->settings.storage.files.events);
	if (r->run_info && r->events)
		error = offload_new(worker->loop, THREADS, &r->offload);
	if (error) {
		recorder_free(&r);
		return error;
	}
	*ret_recorder = r;
	return 0;
}

size_t
recorder_free(struct recorder **recorder)
{
	struct recorder *r = *recorder;
	struct offload *offload;
	struct line *l;
	size_t left;

	if (!r)
		return 0;
	*recorder = NULL;
	/* Jobs that are done by now, or were never begun, free their lines. */
	offload = r->offload;
	r->offload = NULL;
	left = offload_free(&offload);
	if (left > 0)
		return left;
	while ((l = TAILQ_FIRST(&r->idle)) != NULL) {
		TAILQ_REMOVE(&r->idle, l, idle_entry);
		line_free(&l);
	}
	free(r->run_info);
	free(r->events);
	free(r);
	return 0;
}
