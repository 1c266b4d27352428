#include "stream/follower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "store/run_dir.h"
#include "stream/file_generation.h"
#include "stream/rotated.h"
#include "stream/watch.h"

struct followers {
	struct loop *loop;
	struct offload *offload;
	const struct settings *settings;
	int runs_dir_fd;
	struct watch *watch; /* NULL: polling only */
	struct follower *by_path;
	struct directory *directories;
	uint64_t follower_count;
};

/* A directory with followed files in it: what inotify watches. */
struct directory {
	struct watched_directory watched;
	struct followers *set;
	unsigned references;
	bool is_local;        /* on this machine: a missing name is seen without waiting */
	int64_t ask_again_ms; /* when to ask for a watch again; refusals are not asked about at each look */
	TAILQ_HEAD(, follower) followers;
	UT_hash_handle hh;
	char path[];
};

enum { ASK_AGAIN_MS = 5000 };

struct look;

struct follower {
	struct source source;
	struct followers *set;
	struct directory *directory;
	TAILQ_ENTRY(follower) in_directory;
	unsigned references;

	/* The oldest generation not ended is source.current; what was found at the path since
	 * waits behind it. NULL: the path names the current one, or nothing. */
	struct file_generation *coming;
	bool is_elsewhere;      /* the current file is no longer at the path */
	int64_t coming_since_ms; /* when the coming one first had content; 0: it has none */

	struct rotated *rotated; /* or NULL: nobody asked yet */
	struct look *look; /* in a helper thread */
	bool look_again;
	struct loop_timer look_timer;
	struct loop_task look_task;
	UT_hash_handle hh;
	const char *name; /* in path */
	char path[];
};

/* One look, by whoever makes it. */
struct look {
	struct offload_job job;
	struct follower *follower; /* owned reference */
	int runs_dir_fd;
	struct watch *watch; /* to ask for a watch of the directory; or NULL */
	struct generation *current; /* owned reference */

	bool is_local;        /* the directory is on this machine */
	int watch_descriptor; /* or -errno, -ENOENT if not asked */
	uint64_t number;
	int64_t began_ms;
	bool is_at_path;      /* the path names the current file */
	struct stat stat;     /* of the current file, if it has a descriptor */
	int found_fd;         /* another file at the path; or -1 */
	struct stat found_stat;
	enum file_system found_file_system;
};

static struct file_generation *
current_of(const struct follower *f)
{
	return file_generation_of(f->source.current);
}

static const struct settings *
settings_of(const struct follower *f)
{
	return f->set->settings;
}

/* --- what looks found --------------------------------------------------------------------------- */

static void
replace_current(struct follower *f, struct file_generation *next)
{
	struct generation *old = f->source.current;

	must(!old->next);
	old->next = generation_ref(&next->generation);
	f->source.current = &next->generation; /* takes the caller's reference */
	generation_unref(&old);
}

static void
lose_current(struct follower *f, const struct stat *stat, const char *reason)
{
	struct file_generation *again;

	if (file_generation_again(current_of(f), stat, clock_now_ms(), &again) < 0)
		return; /* no memory: the next look tries again */
	again->generation.changed_ms = clock_now_ms();
	f->source.current->state = GENERATION_LOST;
	f->source.current->lost_reason = reason;
	replace_current(f, again);
}

static void
grow(struct generation *g, const struct stat *stat)
{
	g->size_bytes = (uint64_t)stat->st_size;
	g->grown_wall_ms = clock_wall_ms();
	g->changed_ms = clock_now_ms();
}

/* The file that lies at the path now becomes current once the old one has rested. */
static void
end_rotated(struct follower *f)
{
	struct generation *g = f->source.current;
	struct file_generation *coming = f->coming;
	int64_t now_ms = clock_now_ms(), rested_ms = settings_of(f)->api.sse.poll_interval_ms;

	if (!coming || coming->generation.size_bytes == 0)
		return;
	if (f->coming_since_ms == 0)
		f->coming_since_ms = now_ms;
	if (now_ms - f->coming_since_ms < rested_ms || now_ms - g->changed_ms < rested_ms)
		return;
	g->state = GENERATION_ENDED;
	f->coming = NULL;
	f->coming_since_ms = 0;
	f->is_elsewhere = false;
	replace_current(f, coming);
}

static void
take_found(struct follower *f, struct look *look)
{
	struct file_generation *coming = f->coming, *found;

	if (coming && coming->device == look->found_stat.st_dev &&
	    coming->inode == look->found_stat.st_ino) {
		if ((uint64_t)look->found_stat.st_size > coming->generation.size_bytes)
			grow(&coming->generation, &look->found_stat);
		else
			coming->generation.size_bytes = (uint64_t)look->found_stat.st_size;
		fd_close(&look->found_fd);
		return;
	}
	if (file_generation_new(&f->source, f->set->offload, look->found_fd, &look->found_stat,
	                        look->found_file_system, clock_now_ms(), &found) < 0) {
		fd_close(&look->found_fd);
		return;
	}
	look->found_fd = -1;
	if (f->source.current->identity == 0) {
		/* Nothing was there before. What the first look finds is history; what appears
		 * later is new, all of it. */
		if (f->source.is_ready) {
			found->generation.opened_size_bytes = 0;
			grow(&found->generation, &look->found_stat);
		}
		f->source.current->state = GENERATION_ENDED;
		replace_current(f, found);
		return;
	}
	if (coming) {
		/* Rotated again before the current one came to rest: it has, now. */
		f->source.current->state = GENERATION_ENDED;
		replace_current(f, coming);
	}
	found->generation.opened_size_bytes = 0;
	grow(&found->generation, &look->found_stat);
	f->coming = found;
	f->coming_since_ms = 0;
}

static void
apply(struct follower *f, struct look *look)
{
	struct generation *g = f->source.current;
	uint64_t size_before_bytes = g->size_bytes;
	bool was_ready = f->source.is_ready, tell;

	if (look->current != g) {
		/* Its bytes were found to be others meanwhile: what was seen is about the past. */
		follower_look(f);
		return;
	}
	if (look->stat.st_size >= 0) {
		if ((uint64_t)look->stat.st_size < g->size_bytes)
			lose_current(f, &look->stat, "truncated");
		else if ((uint64_t)look->stat.st_size > g->size_bytes)
			grow(g, &look->stat);
	}
	f->is_elsewhere = !look->is_at_path && current_of(f)->fd >= 0;
	if (look->found_fd >= 0)
		take_found(f, look);
	end_rotated(f);
	f->source.is_ready = true;
	f->source.is_rotating = f->coming && f->coming->generation.size_bytes > 0;
	f->source.looked_ms = look->began_ms;
	f->source.looked = look->number;
	tell = f->source.tell || !was_ready || f->source.current != g ||
	       g->size_bytes != size_before_bytes;
	f->source.tell = false;
	if (tell)
		source_notify(&f->source);
}

/* --- looking -------------------------------------------------------------------------------------- */

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

static void
schedule(struct follower *f)
{
	const struct settings *s = settings_of(f);
	/* Where inotify sees all there is to see, a look now and then; elsewhere each interval.
	 * A file that was rotated away may be written to under a name, or in a place, that
	 * nobody watches. */
	bool hinted = is_watched(f) && !f->is_elsewhere && !f->coming &&
	              current_of(f)->file_system != FILE_SYSTEM_REMOTE;

	loop_timer_set(f->set->loop, &f->look_timer,
	               hinted ? s->following.healthy_poll_interval_ms : s->api.sse.poll_interval_ms,
	               look_timed, f);
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
	if (fstatat(look->runs_dir_fd, look->follower->path, &at_path, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(at_path.st_mode)) {
		if (g->fd >= 0 && at_path.st_dev == g->device && at_path.st_ino == g->inode) {
			look->is_at_path = true;
			look->stat = at_path;
			return;
		}
		if (run_dir_open_file(look->runs_dir_fd, look->follower->path, &look->found_stat,
		                      &look->found_fd) == 0)
			look->found_file_system = file_system_of(look->found_fd);
	}
	/* After the path: what one writer wrote before it turned to the new file is seen. */
	if (g->fd < 0 || fstat(g->fd, &look->stat) < 0)
		look->stat.st_size = -1;
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
			follower_look(f);
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
	d->is_local = look->is_local;
	if (f->references > 1) /* somebody but this look */
		apply(f, look);
	fd_close(&look->found_fd);
	generation_unref(&look->current);
}

static void
looked_in_helper(struct offload_job *job)
{
	struct look *look = (struct look *)job;
	struct follower *f = look->follower;

	f->look = NULL;
	if (job->is_dropped)
		generation_unref(&look->current);
	else
		finish_look(look);
	if (f->references > 1 && !job->is_dropped) {
		if (f->look_again)
			follower_look(f);
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
		.watch_descriptor = -ENOENT,
		.number = ++f->source.looks_begun,
		.began_ms = clock_now_ms(),
		.found_fd = -1,
	};
	f->references++;
	f->look_again = false;
}

static void
look_by_helper(struct follower *f)
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
	struct file_generation *g = current_of(f);
	struct stat at_path;
	struct look look;
	int missing;

	if (f->look || !f->source.is_ready || !f->directory->is_local || f->coming || needs_watch(f))
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
		look_by_helper(f);
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

	file_generation_relax(current_of(f), loop_now_ms(f->set->loop));
	if (f->rotated)
		rotated_relax(f->rotated, loop_now_ms(f->set->loop));
	look_now(f);
}

void
follower_look(struct follower *f)
{
	/* Deferred, so that many hints in one turn make one look. */
	loop_defer(f->set->loop, &f->look_task, look_task, f);
}

/* --- source ----------------------------------------------------------------------------------------- */

static void
rewritten(struct generation *generation)
{
	struct follower *f = (struct follower *)generation->source;
	struct stat stat;

	if (generation == f->source.current) {
		if (fstat(current_of(f)->fd, &stat) < 0)
			return;
		lose_current(f, &stat, "truncated");
	} else {
		/* One that was left behind by rotation: what follows it is known. */
		generation->state = GENERATION_LOST;
		generation->lost_reason = "truncated";
	}
	source_notify(&f->source);
}

static void
hold(struct source *source)
{
	((struct follower *)source)->references++;
}

static void
release(struct source *source)
{
	struct follower *f = (struct follower *)source;

	follower_release(&f);
}

static void
refresh(struct source *source)
{
	struct follower *f = (struct follower *)source;

	source->tell = true;
	follower_look(f);
}

static int
find_rotated(struct source *source, const struct cursor_mark *mark,
             struct generation **ret_generation)
{
	struct follower *f = (struct follower *)source;

	if (!f->rotated)
		f->rotated = rotated_new(source, f->set->offload, f->set->runs_dir_fd, f->path);
	return f->rotated ? rotated_find(f->rotated, mark, ret_generation) : -ENOMEM;
}

static const struct source_ops follower_ops = {
	.read = file_generation_read,
	.read_waiting = file_generation_read_waiting,
	.hole_end = file_generation_hole_end,
	.find = find_rotated,
	.refresh = refresh,
	.rewritten = rewritten,
	.free_generation = file_generation_free,
	.hold = hold,
	.release = release,
};

struct source *
follower_source(struct follower *f)
{
	return &f->source;
}

/* --- the set ------------------------------------------------------------------------------------------ */

static struct directory *
get_directory(struct followers *set, const char *path)
{
	struct directory *d;

	HASH_FIND_STR(set->directories, path, d);
	if (!d) {
		size_t length = strlen(path);

		d = calloc(1, sizeof(*d) + length + 1);
		if (!d)
			return NULL;
		d->set = set;
		d->watched.descriptor = -1;
		TAILQ_INIT(&d->followers);
		memcpy(d->path, path, length + 1);
		HASH_ADD_KEYPTR(hh, set->directories, d->path, length, d);
	}
	d->references++;
	return d;
}

static void
release_directory(struct directory *d)
{
	if (--d->references > 0)
		return;
	if (d->set->watch)
		watch_remove(d->set->watch, &d->watched);
	HASH_DEL(d->set->directories, d);
	free(d);
}

static struct follower *
new_follower(struct followers *set, const char *directory, const char *name)
{
	size_t directory_length = strlen(directory), name_length = strlen(name);
	struct follower *f = calloc(1, sizeof(*f) + directory_length + name_length + 2);
	struct file_generation *absent;

	if (!f)
		return NULL;
	f->set = set;
	f->source.ops = &follower_ops;
	TAILQ_INIT(&f->source.listeners);
	memcpy(f->path, directory, directory_length);
	f->path[directory_length] = '/';
	memcpy(f->path + directory_length + 1, name, name_length + 1);
	f->name = f->path + directory_length + 1;
	if (file_generation_new(&f->source, set->offload, -1, NULL, FILE_SYSTEM_LOCAL,
	                        clock_now_ms(), &absent) < 0) {
		free(f);
		return NULL;
	}
	f->source.current = &absent->generation;
	f->directory = get_directory(set, directory);
	if (!f->directory) {
		generation_unref(&f->source.current);
		free(f);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&f->directory->followers, f, in_directory);
	HASH_ADD_KEYPTR(hh, set->by_path, f->path, directory_length + name_length + 1, f);
	set->follower_count++;
	return f;
}

int
follower_get(struct followers *followers, const char *directory, const char *name,
             struct follower **ret_follower)
{
	char path[4096];
	struct follower *f = NULL;
	size_t directory_length = strlen(directory), name_length = strlen(name);

	if (directory_length + name_length + 2 > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, directory, directory_length);
	path[directory_length] = '/';
	memcpy(path + directory_length + 1, name, name_length + 1);
	HASH_FIND_STR(followers->by_path, path, f);
	if (!f) {
		f = new_follower(followers, directory, name);
		if (!f)
			return -ENOMEM;
		look_by_helper(f);
	}
	f->references++;
	*ret_follower = f;
	return 0;
}

void
follower_release(struct follower **follower)
{
	struct follower *f = *follower;

	*follower = NULL;
	if (!f)
		return;
	must(f->references > 0);
	if (--f->references > 0)
		return;
	loop_timer_stop(f->set->loop, &f->look_timer);
	loop_defer_cancel(f->set->loop, &f->look_task);
	HASH_DEL(f->set->by_path, f);
	TAILQ_REMOVE(&f->directory->followers, f, in_directory);
	release_directory(f->directory);
	rotated_free(&f->rotated);
	if (f->coming) {
		struct generation *coming = &f->coming->generation;

		generation_unref(&coming);
	}
	generation_unref(&f->source.current);
	f->set->follower_count--;
	free(f);
}

int
followers_new(struct loop *loop, struct offload *offload, const struct settings *settings,
              int runs_dir_fd, struct followers **ret_followers)
{
	struct followers *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->loop = loop;
	set->offload = offload;
	set->settings = settings;
	set->runs_dir_fd = runs_dir_fd;
	if (settings->following.inotify)
		(void)watch_new(loop, &set->watch); /* none to be had: polling serves */
	*ret_followers = set;
	return 0;
}

void
followers_free(struct followers **followers)
{
	if (!*followers)
		return;
	must(!(*followers)->by_path && !(*followers)->directories);
	watch_free(&(*followers)->watch);
	free(*followers);
	*followers = NULL;
}

struct followers_figures
followers_figures(const struct followers *followers)
{
	return (struct followers_figures){ .followers = followers->follower_count,
		                           .files_open = file_generation_open_count() };
}

bool
followers_have_inotify(const struct followers *followers)
{
	return followers->watch;
}
