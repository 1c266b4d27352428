#include "stream/channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "follow/follower.h"
#include "model/run_id.h"
#include "shm/registry_bus.h"

/* So long after they were woken, subscribers are taken for being served with what they waited for. */
#define SERVING_NS (INT64_C(10) * 1000 * 1000 * 1000)

static const struct settings *
settings_of(const struct channel *c)
{
	return c->hub->settings;
}

struct event_run
channel_event_run(const struct channel *c)
{
	/* A bus has an id for the registry alone. */
	return (struct event_run){ .run_id = c->key.kind->is_of_bus ? "" : c->run->run_id,
		                   .project_id = c->run->project_id,
		                   .task_id = c->run->task_id };
}

const char *
channel_file_name(const struct channel *c, enum cursor_file file)
{
	return c->key.kind->names_files ? cursor_file_names[file] : NULL;
}

/* --- waking -------------------------------------------------------------------------------------------- */

/* Whether there are subscribers that had been given all there was: they wait, or waited until a
 * moment ago. How late one is that is behind on its own account says nothing about us. */
static bool
is_awaited(const struct channel *c)
{
	return c->audience.count > 0 ||
	       (c->audience.woken_ns > 0 && clock_now_ns() - c->audience.woken_ns < SERVING_NS);
}

static void
note_growths(struct channel *c)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct generation *g = c->sources[i]->current;
		struct channel_growth *growth = &c->growths[i];

		if (g->appended_us == growth->told_us)
			continue;
		growth->told_us = g->appended_us;
		if (growth->appended_us == 0 && is_awaited(c)) {
			growth->appended_us = g->appended_us;
			growth->from = g->appended_from;
		}
	}
}

static void
source_changed(void *arg)
{
	struct channel *c = arg;

	note_growths(c);
	audience_wake(&c->audience);
}

static void
time_has_come(void *arg)
{
	struct channel *c = arg;

	audience_wake(&c->audience);
}

void
channel_wake_at(struct channel *c, int64_t due_ms)
{
	if (loop_timer_is_set(&c->due_timer) && c->due_ms <= due_ms)
		return;
	c->due_ms = due_ms;
	loop_timer_set(c->hub->loop, &c->due_timer, due_ms - loop_now_ms(c->hub->loop), time_has_come,
	               c);
}

void
channel_settings_changed(struct channel *c)
{
	if (loop_timer_is_set(&c->due_timer))
		channel_wake_at(c, loop_now_ms(c->hub->loop));
}

void
channel_park(struct channel *c, struct stream *stream)
{
	audience_join(&c->audience, stream);
	/* All are where the file is: nobody will come by what is kept. */
	if (c->audience.count == c->references)
		block_cache_purge(&c->blocks);
}

static const struct registry *
registry_of(const struct channel *c)
{
	return c->key.kind->is_of_bus ? c->hub->buses : c->hub->registry;
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

	if (c->key.slot == CHANNEL_NO_SLOT)
		return; /* nothing in the registry is about it */
	if (registry_at(registry_of(c), c->key.slot, &now) < 0 ||
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
	audience_wake(&c->audience);
}

/* When one of the files of a run that is over changed last, on the monotonic clock. One that is not there
 * has not changed since the run ended, as far as that says when it did. */
static int64_t
changed_ms(const struct channel *c, const struct source *source, int64_t now_ms)
{
	int64_t ended_ms = now_ms - (clock_wall_ms() - c->run->end_time_ms);

	if (source->current->identity == 0 && source->changed_ms == 0 && c->run->end_time_ms > 0 &&
	    ended_ms < source->current->changed_ms)
		return ended_ms;
	return source->changed_ms > source->current->changed_ms ? source->changed_ms
	                                                         : source->current->changed_ms;
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
		rested_ms = changed_ms(c, source, now_ms) + linger_ms;
		if (now_ms < rested_ms) {
			channel_wake_at(c, rested_ms);
			finished = false;
		} else if (!source_is_ready(source) || source->is_rotating) {
			source->tell = true; /* looks are under way, as often as is good */
			finished = false;
		} else if (source->looked_ms < rested_ms || source->looked <= c->looks_before_end[i]) {
			/* What was written before the run ended, a look after it sees. */
			source_refresh(source);
			finished = false;
		}
	}
	return finished && run_end_is_sure(c);
}

bool
channel_is_gone(struct channel *c)
{
	bool gone = c->run->is_deleted;

	for (int i = 0; i < CURSOR_FILES && c->run->is_deleted; i++) {
		if (!c->followers[i])
			continue;
		gone &= source_is_fresh(c->sources[i], c->looks_before_end[i]);
		if (c->sources[i]->is_rotating) {
			c->sources[i]->tell = true; /* looks are under way */
			gone = false;
		}
	}
	return gone;
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
	audience_fini(&c->audience);
	loop_timer_stop(c->hub->loop, &c->due_timer);
	renderer_template_fini(&c->template);
	buf_fini(&c->state.text);
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

/* Where its files lie, and what they are called. */
struct channel_paths {
	char directory[CHANNEL_DIRECTORY_BYTES];
	const char *names[CURSOR_FILES];
	enum registry_file files[CURSOR_FILES];
};

/* Which of a run's files bears the name in its folder. */
static enum registry_file
file_named(const struct settings *settings, const struct registry_run *run, const char *directory,
           const char *name)
{
	char path[CHANNEL_DIRECTORY_BYTES];

	registry_run_path(run, path, sizeof(path));
	if (strcmp(directory, path) != 0)
		return REGISTRY_FILES;
	if (strcmp(name, settings->storage.files.stdout_log) == 0)
		return REGISTRY_STDOUT;
	return strcmp(name, settings->storage.files.stderr_log) == 0 ? REGISTRY_STDERR : REGISTRY_FILES;
}

static void
find_paths(const struct hub *hub, const struct channel_request *request, struct channel_paths *ret_paths)
{
	const struct settings *settings = hub->settings;
	const struct stream_kind *kind = request->kind;
	const struct registry_run *run = request->run;

	memset(ret_paths->names, 0, sizeof(ret_paths->names));
	for (int i = 0; i < CURSOR_FILES; i++)
		ret_paths->files[i] = REGISTRY_FILES;
	if (kind->is_of_bus) {
		registry_bus_path(run, ret_paths->directory, sizeof(ret_paths->directory));
		ret_paths->names[0] = *run->path_task ? settings->storage.files.task_bus
		                                      : settings->storage.files.project_bus;
	} else if (request->file) {
		snprintf(ret_paths->directory, sizeof(ret_paths->directory), "%s", request->directory);
		ret_paths->names[0] = request->file;
		ret_paths->files[0] = file_named(settings, run, request->directory, request->file);
	} else {
		registry_run_path(run, ret_paths->directory, sizeof(ret_paths->directory));
		ret_paths->names[0] = kind->is_of_events ? settings->storage.files.events
		                                         : settings->storage.files.stdout_log;
		ret_paths->names[1] = settings->storage.files.stderr_log;
		ret_paths->files[0] = kind->is_of_events ? REGISTRY_EVENTS : REGISTRY_STDOUT;
		ret_paths->files[1] = REGISTRY_STDERR;
	}
}

/* What is the same for all who share it. Padding is zeroed: it is hashed. */
static struct channel_key
make_key(const struct channel_request *request, const struct channel_paths *paths)
{
	struct channel_key key;
	char path[sizeof(paths->directory) + SETTINGS_TEXT_BYTES + 2];
	int length = snprintf(path, sizeof(path), "%s/%s", paths->directory, paths->names[0]);

	memset(&key, 0, sizeof(key));
	key.kind = request->kind;
	key.slot = request->run->slot;
	key.files = request->files;
	key.feed = request->feed;
	key.path = XXH3_64bits(path, (size_t)length);
	return key;
}

static int
new_channel(struct hub *hub, const struct channel_request *request, const struct channel_paths *paths,
            const struct channel_key *key, struct channel **ret_channel)
{
	struct channel *c = calloc(1, sizeof(*c));
	struct event_run event_run;
	int error = 0;

	if (!c)
		return -ENOMEM;
	c->hub = hub;
	c->key = *key;
	audience_init(&c->audience, hub->loop);
	c->status_serial = 1;
	memcpy(c->end.files, paths->files, sizeof(c->end.files));
	c->run = malloc(sizeof(*c->run));
	if (!c->run) {
		free(c);
		return -ENOMEM;
	}
	*c->run = *request->run;
	event_run = channel_event_run(c);
	error = renderer_template_init(&c->template, &event_run);
	for (int i = 0; i < CURSOR_FILES && !error; i++)
		error = follow(c, paths->directory, (enum cursor_file)i, paths->names[i]);
	if (!error)
		error = hub_add_channel(hub, c);
	if (error) {
		free_channel(c);
		return error;
	}
	note_end(c); /* if it is */
	/* Who asks may have found the run some time ago, and what changed since was told already. */
	channel_update_run(c);
	*ret_channel = c;
	return 0;
}

int
channel_get(struct hub *hub, const struct channel_request *request, struct channel **ret_channel)
{
	struct channel_paths paths;
	struct channel_key key;
	struct channel *c;

	find_paths(hub, request, &paths);
	key = make_key(request, &paths);
	c = hub_find_channel(hub, &key);
	if (c && strcmp(c->run->run_id, request->run->run_id) != 0) {
		/* Who reads the deleted run that had the slot before goes on to its end. */
		channel_update_run(c);
		hub_remove_channel(hub, c);
		c = NULL;
	}
	if (!c) {
		int error = new_channel(hub, request, &paths, &key, &c);

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
		if (c->audience.count == c->references)
			block_cache_purge(&c->blocks);
		return;
	}
	hub_remove_channel(c->hub, c);
	free_channel(c);
}
