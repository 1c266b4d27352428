#include "stream/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "stream/subscriber.h"

enum {
	/* What a delivery costs the web server, mostly: waking it for one client. Parked clients are
	 * woken again no sooner than it takes to serve them all, so that what comes faster is
	 * gathered into fewer writes; the first after a rest goes at once. */
	DELIVERY_NS = 8000,
	MOST_GATHER_NS = 20 * 1000 * 1000,
};

static const struct settings *
settings_of(const struct channel *c)
{
	return c->hub->settings;
}

struct event_run
channel_event_run(const struct channel *c)
{
	return (struct event_run){ .run_id = c->run->run_id, .project_id = c->run->project_id,
		                   .task_id = c->run->task_id };
}

/* --- waking -------------------------------------------------------------------------------------------- */

static void
wake_now(void *arg)
{
	struct channel *c = arg;
	TAILQ_HEAD(, subscriber) woken = TAILQ_HEAD_INITIALIZER(woken);
	struct subscriber *s;

	loop_timer_stop(c->hub->loop, &c->wake_timer);
	c->woken_ns = clock_now_ns();
	TAILQ_CONCAT(&woken, &c->parked, entry);
	c->parked_count = 0;
	while ((s = TAILQ_FIRST(&woken)) != NULL) {
		TAILQ_REMOVE(&woken, s, entry);
		s->is_parked = false;
		s->wake(s->arg); /* which only queues it */
	}
}

static void
wake_soon(struct channel *c)
{
	int64_t gather_ns = (int64_t)c->parked_count * DELIVERY_NS, wait_ns;

	if (TAILQ_EMPTY(&c->parked) || loop_timer_is_set(&c->wake_timer))
		return;
	if (gather_ns > MOST_GATHER_NS)
		gather_ns = MOST_GATHER_NS;
	wait_ns = c->woken_ns + gather_ns - clock_now_ns();
	if (wait_ns < 1000000)
		loop_defer(c->hub->loop, &c->wake_task, wake_now, c);
	else
		loop_timer_set(c->hub->loop, &c->wake_timer, wait_ns / 1000000, wake_now, c);
}

static void
source_changed(void *arg)
{
	wake_soon(arg);
}

static void
time_has_come(void *arg)
{
	wake_soon(arg);
}

static void
wake_at(struct channel *c, int64_t due_ms)
{
	if (loop_timer_is_set(&c->due_timer) && c->due_ms <= due_ms)
		return;
	c->due_ms = due_ms;
	loop_timer_set(c->hub->loop, &c->due_timer, due_ms - loop_now_ms(c->hub->loop), time_has_come,
	               c);
}

void
channel_park(struct channel *c, struct subscriber *s)
{
	must(!s->is_parked);
	s->is_parked = true;
	TAILQ_INSERT_TAIL(&c->parked, s, entry);
	/* All are where the file is: nobody will come by what is kept. */
	if (++c->parked_count == c->references)
		block_cache_purge(&c->blocks);
}

void
channel_unpark(struct channel *c, struct subscriber *s)
{
	if (!s->is_parked)
		return;
	s->is_parked = false;
	TAILQ_REMOVE(&c->parked, s, entry);
	c->parked_count--;
}

/* --- what is said of the run ------------------------------------------------------------------------------ */

/* Project and task are part of each log event. */
static void
render_template_again(struct channel *c)
{
	struct event_run run = channel_event_run(c);
	struct renderer_template template;

	if (renderer_template_init(&template, &run) < 0)
		return; /* lines matter more than whose they are */
	renderer_template_fini(&c->template);
	c->template = template;
	block_cache_purge(&c->blocks);
}

static void
note_end(struct channel *c)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		c->looks_before_end[i] = c->sources[i]->looks_begun;
}

void
channel_update_run(struct channel *c)
{
	struct registry_run now;
	bool is_reassigned;

	if (registry_at(c->hub->registry, c->key.slot, &now) < 0 ||
	    strcmp(now.run_id, c->run->run_id) != 0) {
		/* The slot is another run's by now: ours was deleted some time ago. */
		now = *c->run;
		now.is_deleted = true;
	}
	if ((now.is_terminal && !c->run->is_terminal) || (now.is_deleted && !c->run->is_deleted))
		note_end(c);
	if (strcmp(now.status, c->run->status) != 0 || now.exit_code != c->run->exit_code)
		c->status_serial++;
	is_reassigned = strcmp(now.project_id, c->run->project_id) != 0 ||
	               strcmp(now.task_id, c->run->task_id) != 0;
	*c->run = now;
	if (is_reassigned)
		render_template_again(c);
	wake_soon(c);
}

bool
channel_is_finished(struct channel *c)
{
	int64_t linger_ms = settings_of(c)->api.sse.terminal_linger_ms, now_ms = clock_now_ms();
	bool finished = c->run->is_terminal;

	for (int i = 0; i < CURSOR_FILES && c->run->is_terminal; i++) {
		struct source *source = c->sources[i];
		int64_t rested_ms;

		if (!c->followers[i])
			continue;
		rested_ms = source->current->changed_ms + linger_ms;
		if (now_ms < rested_ms) {
			wake_at(c, rested_ms);
			finished = false;
		} else if (!source->is_ready || source->is_rotating) {
			source->tell = true; /* looks are under way, as often as is good */
			finished = false;
		} else if (source->looked_ms < rested_ms || source->looked <= c->looks_before_end[i]) {
			/* What was written before the run ended, a look after it sees. */
			source_refresh(source);
			finished = false;
		}
	}
	return finished;
}

bool
channel_is_gone(struct channel *c)
{
	bool gone = c->run->is_deleted;

	for (int i = 0; i < CURSOR_FILES && c->run->is_deleted; i++)
		if (c->followers[i])
			gone &= source_is_fresh(c->sources[i], c->looks_before_end[i]);
	return gone;
}

/* --- blocks ---------------------------------------------------------------------------------------------------- */

static struct block_key
key_of(const struct place *places)
{
	struct block_key key;

	memset(&key, 0, sizeof(key));
	for (int i = 0; i < CURSOR_FILES; i++) {
		key.files[i].offset = places[i].offset;
		key.files[i].lines = places[i].lines;
		key.files[i].generation = places[i].generation->serial;
		key.files[i].is_finished = places[i].is_finished;
	}
	return key;
}

/* Whether an unfinished line may go as it is; if only time is missing, has it pass. */
static bool
may_flush(struct channel *c, const struct generation *g)
{
	int64_t flush_ms = settings_of(c)->api.sse.partial_flush_ms;
	int64_t due_ms = g->changed_ms + flush_ms;

	/* Of a run that has ended it is finished as soon, and then it comes in one piece. */
	if (c->run->is_terminal && settings_of(c)->api.sse.terminal_linger_ms <= flush_ms)
		return false;
	if (clock_now_ms() >= due_ms)
		return true;
	wake_at(c, due_ms);
	return false;
}

static int
render(struct channel *c, const struct place *places, enum cursor_file file, struct block **ret_block)
{
	const struct generation *g = places[file].generation;
	struct renderer_job job = {
		.template = &c->template,
		.places = places,
		.file = file,
		.max_line_bytes = (size_t)settings_of(c)->api.sse.max_line_bytes,
	};
	int error = renderer_render(c->hub->renderer, &job, ret_block);

	if (error != -ENODATA)
		return error;
	/* No whole line. What there is of one is sent when it rested, and finished when no more
	 * can come. */
	job.is_final = g->state == GENERATION_ENDED || channel_is_finished(c);
	job.may_flush = !job.is_final && places[file].offset < g->size_bytes && may_flush(c, g);
	if (!job.is_final && !job.may_flush)
		return -ENODATA;
	return renderer_render(c->hub->renderer, &job, ret_block);
}

int
channel_next_block(struct channel *c, const struct place places[static CURSOR_FILES],
                   struct block **ret_block)
{
	struct block_key key = key_of(places);
	struct block *block = block_cache_find(&c->hub->cache, &c->blocks, &key);
	/* The one that is less far goes first: a rule that depends on nothing but the place, so that
	 * all come by the same blocks. */
	enum cursor_file first = places[CURSOR_STDERR].offset < places[CURSOR_STDOUT].offset
	                                 ? CURSOR_STDERR
	                                 : CURSOR_STDOUT;
	enum cursor_file order[CURSOR_FILES] = {
		first, first == CURSOR_STDOUT ? CURSOR_STDERR : CURSOR_STDOUT
	};
	int error = -ENODATA, worst = -ENODATA;

	if (block) {
		*ret_block = block_ref(block);
		return 0;
	}
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (!c->followers[order[i]])
			continue;
		error = render(c, places, order[i], &block);
		if (error == 0)
			break;
		if (error != -ENODATA)
			worst = error;
		if (error != -ENODATA && error != -EAGAIN && error != -ESTALE)
			c->sources[order[i]]->tell = true; /* failed: tried again after a look */
	}
	if (error)
		return worst;
	c->hub->blocks_rendered++;
	if (c->references > 1)
		block_cache_keep(&c->hub->cache, &c->blocks, &key, block);
	*ret_block = block;
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void
free_channel(struct channel *c)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (!c->followers[i])
			continue;
		source_unlisten(c->sources[i], &c->listeners[i]);
		follower_release(&c->followers[i]);
	}
	block_cache_purge(&c->blocks);
	loop_timer_stop(c->hub->loop, &c->wake_timer);
	loop_timer_stop(c->hub->loop, &c->due_timer);
	loop_defer_cancel(c->hub->loop, &c->wake_task);
	renderer_template_fini(&c->template);
	free(c->run);
	free(c);
}

static int
follow(struct channel *c, const char *directory, enum cursor_file file, const char *name)
{
	int error;

	c->sources[file] = &c->hub->nothing;
	if (!(c->key.files & 1U << file))
		return 0;
	error = followers_get(c->hub->followers, directory, name, &c->followers[file]);
	if (error)
		return error;
	c->sources[file] = follower_source(c->followers[file]);
	source_listen(c->sources[file], &c->listeners[file], source_changed, c);
	return 0;
}

static int
new_channel(struct hub *hub, const struct registry_run *run, struct channel_key key,
            struct channel **ret_channel)
{
	char directory[4 * (REGISTRY_NAME_BYTES + 1)];
	const struct settings *settings = hub->settings;
	struct channel *c = calloc(1, sizeof(*c));
	struct event_run event_run;
	int error;

	if (!c)
		return -ENOMEM;
	c->hub = hub;
	c->key = key;
	TAILQ_INIT(&c->parked);
	c->status_serial = 1;
	c->run = malloc(sizeof(*c->run));
	if (!c->run) {
		free(c);
		return -ENOMEM;
	}
	*c->run = *run;
	event_run = channel_event_run(c);
	error = renderer_template_init(&c->template, &event_run);
	registry_run_path(run, directory, sizeof(directory));
	if (!error)
		error = follow(c, directory, CURSOR_STDOUT, settings->storage.files.stdout_log);
	if (!error)
		error = follow(c, directory, CURSOR_STDERR, settings->storage.files.stderr_log);
	if (error) {
		free_channel(c);
		return error;
	}
	note_end(c); /* if it is */
	HASH_ADD(hh, hub->channels, key, sizeof(c->key), c);
	hub->channel_count++;
	*ret_channel = c;
	return 0;
}

int
channel_get(struct hub *hub, const struct registry_run *run, unsigned files,
            struct channel **ret_channel)
{
	struct channel_key key = { .slot = run->slot, .files = files };
	struct channel *c;

	HASH_FIND(hh, hub->channels, &key, sizeof(key), c);
	if (c && strcmp(c->run->run_id, run->run_id) != 0) {
		/* Who reads the deleted run that had the slot before goes on to its end. */
		channel_update_run(c);
		HASH_DELETE(hh, hub->channels, c);
		c->is_replaced = true;
		c = NULL;
	}
	if (!c) {
		int error = new_channel(hub, run, key, &c);

		if (error)
			return error;
	}
	c->references++;
	*ret_channel = c;
	return 0;
}

void
channel_release(struct channel **channel)
{
	struct channel *c = *channel;

	*channel = NULL;
	if (!c)
		return;
	must(c->references > 0);
	if (--c->references > 0) {
		if (c->parked_count == c->references)
			block_cache_purge(&c->blocks);
		return;
	}
	if (!c->is_replaced)
		HASH_DELETE(hh, c->hub->channels, c);
	c->hub->channel_count--;
	free_channel(c);
}
