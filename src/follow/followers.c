#include "follow/followers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "follow/follower_state.h"

enum { WATCH_AGAIN_MS = 5000 };

/* --- directories -------------------------------------------------------------------------------- */

struct directory *
followers_get_directory(struct followers *set, const char *path)
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

void
followers_release_directory(struct directory *d)
{
	if (--d->references > 0)
		return;
	if (d->set->watch)
		watch_remove(d->set->watch, &d->watched);
	HASH_DEL(d->set->directories, d);
	free(d);
}

/* --- the set ------------------------------------------------------------------------------------ */

int
followers_get(struct followers *followers, const char *directory, const char *name,
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
		f = follower_new(followers, directory, name);
		if (!f)
			return -ENOMEM;
		look_begin(f);
	}
	f->references++;
	*ret_follower = f;
	return 0;
}

/* Polling serves as long as there is none to be had. */
static void
have_watch(void *arg)
{
	struct followers *set = arg;
	int error = watch_new(set->loop, &set->watch);

	if (error) {
		set->figures.inotify_refused++;
		set->figures.inotify_error = -error;
		loop_timer_set(set->loop, &set->watch_timer, WATCH_AGAIN_MS, have_watch, set);
	} else {
		followers_look_anew(set);
	}
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
		have_watch(set);
	*ret_followers = set;
	return 0;
}

void
followers_free(struct followers **followers)
{
	if (!*followers)
		return;
	must(!(*followers)->by_path && !(*followers)->directories);
	loop_timer_stop((*followers)->loop, &(*followers)->watch_timer);
	watch_free(&(*followers)->watch);
	free(*followers);
	*followers = NULL;
}

void
followers_look_anew(struct followers *followers)
{
	struct directory *d, *next_directory;
	struct follower *f, *next_follower;

	HASH_ITER (hh, followers->directories, d, next_directory) {
		/* What is watched is where the directory lay, not where it lies. */
		if (followers->watch)
			watch_remove(followers->watch, &d->watched);
		d->ask_again_ms = 0;
	}
	HASH_ITER (hh, followers->by_path, f, next_follower)
		look_soon(f);
}

void
followers_settings_changed(struct followers *followers)
{
	struct follower *f, *next;

	HASH_ITER (hh, followers->by_path, f, next)
		look_reschedule(f);
}

struct followers_figures
followers_figures(const struct followers *followers)
{
	struct followers_figures figures = followers->figures;

	figures.followers = followers->follower_count;
	figures.files_open = file_generation_open_count();
	figures.inotify_overflows = followers->watch ? watch_overflows(followers->watch) : 0;
	return figures;
}

bool
followers_have_inotify(const struct followers *followers)
{
	return followers->watch;
}
