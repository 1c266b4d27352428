#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/follower_state.h"
#include "store/run_dir.h"

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
	bool hinted = is_watched(f) && !f->is_elsewhere && !f->coming && !f->has_failed &&
	              !is_stale(f) &&
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

/* There is nothing to be read at the path; other errors say nothing about it. */
static bool
means_nothing_there(int error)
{
	switch (-error) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:
	case ELOOP:
	case EXDEV:
	case EACCES:
	case EPERM:
	case ENAMETOOLONG:
		return true;
	default:
		return false;
	}
}

static void
note_error(struct look *look, int error)
{
	look->has_failed = !means_nothing_there(error);
	/* What may not be opened is as good as missing, and yet worth a word. */
	if (look->has_failed || error == -EACCES || error == -EPERM)
		look->error = -error;
}

/* The same file, opened once more: the descriptor keeps its number, which others may be using. */
static void
renew(struct look *look, struct file_generation *g)
{
	if (__atomic_load_n(&g->is_stale, __ATOMIC_RELAXED) &&
	    dup3(look->found_fd, g->fd, O_CLOEXEC) >= 0)
		__atomic_store_n(&g->is_stale, false, __ATOMIC_RELAXED);
}

/* Opens what is at the path now, unless it is the current file. */
static void
find(struct look *look)
{
	struct file_generation *g = file_generation_of(look->current);
	int error = run_dir_open_file(look->runs_dir_fd, look->follower->path, &look->found_stat,
	                              &look->found_fd);

	if (error) {
		note_error(look, error);
	} else if (g->fd >= 0 && look->found_stat.st_dev == g->device &&
	           look->found_stat.st_ino == g->inode) {
		look->is_at_path = true; /* again */
		renew(look, g);
		fd_close(&look->found_fd);
	} else {
		look->found_file_system = file_system_of(look->found_fd);
	}
}

/* The look itself: may block unless the file is open, local, and still at its path. */
static void
look_at_path(struct look *look)
{
	struct file_generation *g = file_generation_of(look->current);
	struct stat at_path;
	int directory_fd;

	if ((look->watch || !look->is_local) &&
	    run_dir_open(look->runs_dir_fd, look->follower->directory->path, &directory_fd) == 0) {
		/* Before the look, so that nothing falls between the two. */
		look->is_local = file_system_of(directory_fd) != FILE_SYSTEM_REMOTE;
		if (look->is_local && look->watch)
			look->watch_descriptor = watch_ask(look->watch, directory_fd);
		fd_close(&directory_fd);
	}
	if (fstatat(look->runs_dir_fd, look->follower->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0) {
		note_error(look, -errno);
	} else if (S_ISREG(at_path.st_mode)) {
		if (g->fd >= 0 && at_path.st_dev == g->device && at_path.st_ino == g->inode) {
			look->is_at_path = true;
			look->stat = at_path;
			if (__atomic_load_n(&g->is_stale, __ATOMIC_RELAXED))
				find(look);
			return;
		}
		find(look);
	}
	/* After the path: what one writer wrote before it turned to the new file is seen. The one
	 * that comes may have left the path as well, and grow. */
	if (g->fd < 0 || fstat(g->fd, &look->stat) < 0)
		look->stat.st_size = -1;
	if (!look->coming || fstat(file_generation_of(look->coming)->fd, &look->coming_stat) < 0)
		look->coming_stat.st_size = -1;
}

static void
look_in_helper(struct offload_job *job)
{
	look_at_path((struct look *)job);
}

static void
watched_name(void *arg, const char *name)
{
	struct directory *d = arg;
	struct follower *f;

	TAILQ_FOREACH (f, &d->followers, in_directory)
		if (!name || f->is_elsewhere || strcmp(name, f->name) == 0)
			look_soon(f);
}

static void
drop_look(struct look *look)
{
	generation_unref(&look->current);
	generation_unref(&look->coming);
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
	fd_close(&look->found_fd);
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
begin_look(struct look *look, struct follower *f)
{
	*look = (struct look){
		.follower = f,
		.runs_dir_fd = f->set->runs_dir_fd,
		.watch = needs_watch(f) ? f->set->watch : NULL,
		.is_local = f->directory->is_local,
		.current = generation_ref(f->source.current),
		.coming = f->coming ? generation_ref(&f->coming->generation) : NULL,
		.watch_descriptor = -ENOENT,
		.number = ++f->source.looks_begun,
		.began_ms = clock_now_ms(),
		.found_fd = -1,
	};
	f->references++;
	f->look_again = false;
}

void
look_begin(struct follower *f)
{
	struct look *look;

	if (f->look) {
		f->look_again = true;
		return;
	}
	look = malloc(sizeof(*look));
	if (!look)
		return; /* the timer comes again */
	begin_look(look, f);
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

	if (f->look || is_stale(f) || !f->source.is_ready || !f->directory->is_local || f->coming || needs_watch(f))
		return false;
	missing = fstatat(f->set->runs_dir_fd, f->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0;
	if (g->fd < 0 && missing && errno == ENOENT) {
		begin_look(&look, f);
		look.stat.st_size = -1;
		finish_look(&look);
		follower_release(&f);
		return true;
	}
	if (g->fd < 0 || missing || at_path.st_dev != g->device || at_path.st_ino != g->inode)
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
