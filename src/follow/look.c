#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/follower_state.h"
#include "follow/neighbours.h"
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
	look->has_failed |= !means_nothing_there(error);
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
		look->is_at_path = false;
		look->found_file_system = file_system_of(look->found_fd);
	}
}

/* Asks for a watch of the directory; before the look, so that nothing falls between the two. */
static void
ask_watch(struct look *look)
{
	int directory_fd;

	if ((!look->watch && look->is_local) ||
	    run_dir_open(look->runs_dir_fd, look->follower->directory->path, &directory_fd) < 0)
		return;
	look->is_local = file_system_of(directory_fd) != FILE_SYSTEM_REMOTE;
	if (look->is_local && look->watch)
		look->watch_descriptor = watch_ask(look->watch, directory_fd);
	fd_close(&directory_fd);
}

static bool
has_come(const struct look *look)
{
	const struct file_generation *last;

	if (look->found_fd < 0 || look->coming_count == 0)
		return look->found_fd >= 0;
	last = file_generation_of(look->others[look->coming_count - 1].generation);
	return last->device != look->found_stat.st_dev || last->inode != look->found_stat.st_ino;
}

static bool
has_directory_changed(int runs_dir_fd, const struct follower *f)
{
	struct stat directory;

	return fstatat(runs_dir_fd, f->directory->path, &directory, AT_SYMLINK_NOFOLLOW) == 0 &&
	       beside_has_changed(&f->beside, &directory);
}

/* What was at the path between the last file that was seen there and what is there now. */
static void
find_between(struct look *look)
{
	struct follower *f = look->follower;
	struct beside_open open[SUCCESSION_MOST_COMING + 2];
	struct cursor_mark coming[SUCCESSION_MOST_COMING];
	struct beside_files files = { .open = open, .known = { .mark = look->known, .coming = coming,
		                                               .coming_count = look->coming_count,
		                                               .passed = &look->passed } };
	size_t count = 0;
	int error;

	if (!look->is_to_list && !has_come(look) && !has_directory_changed(look->runs_dir_fd, f))
		return;
	if (look->found_fd >= 0)
		open[count++] = (struct beside_open){ look->found_fd, look->found_stat };
	for (size_t i = 0; i < look->coming_count; i++)
		coming[i] = (struct cursor_mark){ .offset = look->others[i].known.to,
			                          .fingerprint = look->others[i].known.fingerprint };
	for (size_t i = 0; i <= look->coming_count; i++) {
		int fd = file_generation_of(i == 0 ? look->current : look->others[i - 1].generation)->fd;

		if (fd >= 0 && fstat(fd, &open[count].stat) == 0)
			open[count++].fd = fd;
	}
	/* What comes need not be in the order of times: one of them may be at the path. */
	files.count = count;
	files.earlier_count = count - (look->found_fd >= 0);
	if (files.earlier_count > look->coming_count && files.earlier_count > 1)
		files.earlier_count = look->coming_count;
	error = beside_find(&f->beside, look->runs_dir_fd, f->directory->path, f->name, &files, &look->between);
	if (error && !means_nothing_there(error)) {
		/* Not what is there now without what was before. */
		fd_close(&look->found_fd);
		look->has_failed = true;
	}
}

/* Whether the current one was written to, or emptied, since it was looked at last. */
static bool
has_changed(uint64_t size_bytes, const struct timespec *modified, const struct stat *stat)
{
	return file_generation_size(stat) != size_bytes || stat->st_mtim.tv_sec != modified->tv_sec ||
	       stat->st_mtim.tv_nsec != modified->tv_nsec;
}

/* Not what is there now without what was before. */
static void
fail(struct look *look)
{
	look->has_failed = true;
	look->stat.st_size = -1;
}

/* What the current file, which never left its path, held since the last look. */
static void
find_copies(struct look *look)
{
	struct follower *f = look->follower;
	struct beside_file file = {
		.path = f->path,
		.fd = file_generation_of(look->current)->fd,
		.stat = look->stat,
		.begun_ms = look->current->begun_ms,
		.known = { .mark = look->known, .passed = &look->passed },
	};
	int error = 0, holds = 0;

	if (!look->is_to_list && (!has_changed(look->size_bytes, &look->modified, &look->stat) ||
	                          !has_directory_changed(look->runs_dir_fd, f)))
		return;
	if (look->known.offset > 0)
		holds = neighbour_verify(file.fd, &look->known);
	if (holds < 0) {
		fail(look);
		return;
	}
	look->is_other = file.is_other = look->known.offset > 0 && !holds;
	error = beside_find_copies(&f->beside, look->runs_dir_fd, f->directory->path, f->name, &file,
	                           &look->between);
	if (error == -ESTALE)
		find(look);
	if (error && !means_nothing_there(error) && look->is_at_path)
		fail(look);
}

static void
learn_known(int fd, const struct stat *stat, struct look_known *known)
{
	uint64_t fingerprint, to = known->to > 0 ? known->to : file_generation_size(stat);

	if (to == 0 || file_generation_size(stat) < to || !neighbour_fingerprint(fd, to, &fingerprint))
		return;
	known->is_other = known->to > 0 && fingerprint != known->fingerprint;
	known->to = to;
	known->fingerprint = fingerprint;
}

/* The others may have left the path as well, and grow. */
static void
look_at_others(struct look *look)
{
	for (size_t i = 0; i < look->other_count; i++) {
		int fd = file_generation_of(look->others[i].generation)->fd;

		if (fstat(fd, &look->others[i].stat) < 0)
			look->others[i].stat.st_size = -1;
		else if (i < look->coming_count)
			learn_known(fd, &look->others[i].stat, &look->others[i].known);
	}
	if (look->found_fd >= 0)
		learn_known(look->found_fd, &look->found_stat, &look->found_known);
}

/* The look itself: may block unless the file is open, local, and still at its path. */
static void
look_at_path(struct look *look)
{
	struct follower *f = look->follower;
	struct file_generation *g = file_generation_of(look->current);
	bool was_listed = f->beside.is_listed;
	struct stat at_path;
	int error;

	ask_watch(look);
	if (!was_listed) {
		error = beside_note(&f->beside, look->runs_dir_fd, f->directory->path, f->name);
		look->has_failed = error && !means_nothing_there(error);
	}
	if (fstatat(look->runs_dir_fd, f->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0) {
		note_error(look, -errno);
	} else if (S_ISREG(at_path.st_mode)) {
		look->is_at_path = g->fd >= 0 && at_path.st_dev == g->device && at_path.st_ino == g->inode;
		if (look->is_at_path)
			look->stat = at_path;
		if (!look->is_at_path || __atomic_load_n(&g->is_stale, __ATOMIC_RELAXED))
			find(look);
	}
	if (look->is_at_path && look->stat.st_size >= 0 && was_listed && !look->has_failed)
		find_copies(look);
	if (!look->is_at_path && was_listed && !look->has_failed)
		find_between(look);
	/* After the path: what one writer wrote before it turned to the new file is seen. */
	if (!look->is_at_path || (look->stat.st_size < 0 && !look->has_failed))
		if (g->fd < 0 || fstat(g->fd, &look->stat) < 0)
			look->stat.st_size = -1;
	look_at_others(look);
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
		.coming_count = f->succession.coming_count,
		.watch_descriptor = -ENOENT,
		.number = ++f->source.looks_begun,
		.began_ms = clock_now_ms(),
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
	look->is_to_list = f->look_beside;
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

	if (f->look || f->look_beside || is_stale(f) || !f->source.is_ready || !f->directory->is_local ||
	    f->succession.coming_count > 0 || f->succession.trailing_count > 0 || needs_watch(f))
		return false;
	missing = fstatat(f->set->runs_dir_fd, f->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0;
	if (g->fd < 0 && missing && errno == ENOENT) {
		/* It may have been there, and rotated away. */
		if (has_directory_changed(f->set->runs_dir_fd, f))
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
	if (has_changed(g->generation.size_bytes, &g->modified, &at_path) &&
	    has_directory_changed(f->set->runs_dir_fd, f))
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
