#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/follower_state.h"

enum { ASK_AGAIN_MS = 5000 };

static void look_timed(void *arg);

static bool
is_watched(const struct follower *f)
{
	return f->directory->watched.descriptor >= 0;
}

static bool
needs_watch(const struct follower *f)
{
	return f->set->watch && !is_watched(f) &&
	       loop_now_ms(f->set->loop) >= f->directory->ask_again_ms;
}

static bool
is_stale(const struct follower *f)
{
	return __atomic_load_n(&follower_current(f)->is_stale, __ATOMIC_RELAXED);
}

static int64_t
interval_ms(const struct follower *f)
{
	const struct settings *s = f->set->settings;
	/* Where inotify sees all there is to see, a look now and then; elsewhere each interval.
	 * A file that was rotated away may be written to under a name, or in a place, that
	 * nobody watches. */
	bool hinted = is_watched(f) && !f->succession.is_elsewhere && f->succession.coming_count == 0 &&
	              f->succession.trailing_count == 0 && !f->has_failed && !is_stale(f) &&
	              follower_current(f)->file_system != FILE_SYSTEM_REMOTE;

	return hinted ? s->following.healthy_poll_interval_ms : s->api.sse.poll_interval_ms;
}

static void
schedule(struct follower *f)
{
	loop_timer_set(f->set->loop, &f->look_timer, interval_ms(f), look_timed, f);
}

void
look_reschedule(struct follower *f)
{
	int64_t most_ms = interval_ms(f);

	/* Anywhere in the interval: thousands of files are not to be looked at all at once, now and
	 * ever after. */
	if (loop_timer_is_set(&f->look_timer) &&
	    f->look_timer.due_ms - loop_now_ms(f->set->loop) > most_ms)
		loop_timer_set(f->set->loop, &f->look_timer, random() % (most_ms + 1), look_timed, f);
}

static void
look_in_helper(struct offload_job *job)
{
	look_path_see((struct look *)job);
}

static void
watched_name(void *arg, const char *name)
{
	struct directory *d = arg;
	struct follower *f;

	TAILQ_FOREACH (f, &d->followers, in_directory)
		if (!name || f->succession.is_elsewhere || strcmp(name, f->name) == 0)
			look_soon(f);
}

static void
drop_look(struct look *look)
{
	fd_close(&look->found_fd);
	generation_unref(&look->current);
	for (size_t i = 0; i < look->other_count; i++)
		generation_unref(&look->others[i].generation);
	beside_parts_fini(&look->between);
	passed_fini(&look->passed);
}

static void
count_failures(struct followers_figures *figures, const struct look *look)
{
	if (look->error) {
		figures->looks_failed++;
		figures->look_error = look->error;
	}
	if (look->watch_descriptor < 0 && look->watch_descriptor != -ENOENT) {
		figures->inotify_refused++;
		figures->inotify_error = -look->watch_descriptor;
	}
}

static void
finish_look(struct look *look)
{
	struct follower *f = look->follower;
	struct directory *d = f->directory;

	if (look->watch_descriptor >= 0 && d->watched.descriptor < 0)
		watch_add(f->set->watch, &d->watched, look->watch_descriptor, watched_name, d);
	if (look->watch && d->watched.descriptor < 0)
		d->ask_again_ms = loop_now_ms(f->set->loop) + ASK_AGAIN_MS;
	count_failures(&f->set->figures, look);
	d->is_local = look->is_local;
	if (f->references > 1) /* somebody but this look */
		follower_apply(f, look);
	drop_look(look);
}

static void
looked_in_helper(struct offload_job *job)
{
	struct look *look = (struct look *)job;
	struct follower *f = look->follower;

	f->look = NULL;
	if (job->is_dropped)
		drop_look(look);
	else
		finish_look(look);
	if (f->references > 1 && !job->is_dropped) {
		if (f->look_again)
			look_soon(f);
		schedule(f);
	}
	free(look);
	follower_release(&f);
}

static void
add_other(struct look *look, struct generation *g)
{
	look->others[look->other_count].generation = generation_ref(g);
	look->others[look->other_count].known = (struct look_known){
		.to = g->known_to, .fingerprint = g->known_fingerprint
	};
	look->other_count++;
}

static void
begin_look(struct look *look, struct follower *f)
{
	*look = (struct look){
		.follower = f,
		.runs_dir_fd = f->set->runs_dir_fd,
		.watch = needs_watch(f) ? f->set->watch : NULL,
		.is_local = f->directory->is_local,
		.current = generation_ref(f->source.current),
		.size_bytes = f->source.current->size_bytes,
		.modified = follower_current(f)->modified,
		.known = { .offset = f->source.current->known_to,
		           .fingerprint = f->source.current->known_fingerprint },
		.was_rewritten = f->source.current->is_rewritten,
		.is_other = f->source.current->is_rewritten,
		.coming_count = f->succession.coming_count,
		.watch_descriptor = -ENOENT,
		.number = ++f->source.looks_begun,
		.began_ms = clock_now_ms(),
		.seen_ms = clock_wall_ms(),
		.found_fd = -1,
		.stat.st_size = -1,
	};
	for (size_t i = 0; i < f->succession.coming_count; i++)
		add_other(look, &f->succession.coming[i]->generation);
	for (size_t i = 0; i < f->succession.trailing_count; i++)
		add_other(look, &f->succession.trailing[i]->generation);
	f->references++;
	f->look_again = false;
}

void
look_begin(struct follower *f)
{
	struct passed passed;
	struct look *look;

	if (f->look) {
		f->look_again = true;
		return;
	}
	/* Without memory, the timer comes again. */
	if (passed_copy(&f->succession.passed, &passed) < 0)
		return;
	look = malloc(sizeof(*look) +
	              (f->succession.coming_count + f->succession.trailing_count) * sizeof(look->others[0]));
	if (!look) {
		passed_fini(&passed);
		return;
	}
	begin_look(look, f);
	look->passed = passed;
	look->is_to_list = f->look_beside || look->is_other;
	f->look_beside = false;
	f->look = look;
	offload_submit(f->set->offload, &look->job, look_in_helper, looked_in_helper);
}

/* On this machine, a file still missing, or open and still at its path, is looked at here. */
static bool
look_directly(struct follower *f)
{
	struct file_generation *g = follower_current(f);
	struct stat at_path;
	struct look look;
	int missing;

	if (f->look || f->look_beside || is_stale(f) || !source_is_ready(&f->source) || !f->directory->is_local ||
	    f->succession.coming_count > 0 || f->succession.trailing_count > 0 || needs_watch(f))
		return false;
	missing = fstatat(f->set->runs_dir_fd, f->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0;
	if (g->fd < 0 && missing && errno == ENOENT) {
		/* It may have been there, and rotated away. */
		if (look_path_has_directory_changed(f->set->runs_dir_fd, f))
			return false;
		begin_look(&look, f);
		look.stat.st_size = -1;
		finish_look(&look);
		follower_release(&f);
		return true;
	}
	if (g->fd < 0 || missing || at_path.st_dev != g->device || at_path.st_ino != g->inode)
		return false;
	/* A copy may lie beside it of what it held in between. */
	if (look_path_has_changed(g->generation.size_bytes, &g->modified, &at_path) &&
	    look_path_has_directory_changed(f->set->runs_dir_fd, f))
		return false;
	begin_look(&look, f);
	look.is_at_path = true;
	look.stat = at_path;
	finish_look(&look);
	follower_release(&f);
	return true;
}

static void
look_now(struct follower *f)
{
	if (!look_directly(f))
		look_begin(f);
	schedule(f);
}

static void
look_task(void *arg)
{
	look_now(arg);
}

static void
look_timed(void *arg)
{
	struct follower *f = arg;

	file_generation_relax(follower_current(f), loop_now_ms(f->set->loop));
	if (f->rotated)
		rotated_relax(f->rotated, loop_now_ms(f->set->loop));
	look_now(f);
}

void
look_soon(struct follower *f)
{
	/* Deferred, so that many hints in one turn make one look. */
	loop_defer(f->set->loop, &f->look_task, look_task, f);
}
