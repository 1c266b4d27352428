/* All followers of a process, and what they share: helper threads, and inotify's watches. */
#ifndef FOLLOW_FOLLOWERS_H
#define FOLLOW_FOLLOWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/offload.h"
#include "conf/settings.h"
#include "follow/follower.h"

struct followers;

struct followers_figures {
	uint64_t followers, files_open;
	/* Ever, and the errno of the last time (0: never): */
	uint64_t looks_failed;      /* looks that could not tell what there is */
	int look_error;
	uint64_t inotify_refused;   /* watches, or inotify itself, that were not to be had */
	int inotify_error;
	uint64_t inotify_overflows; /* queues that the kernel cut off: all was looked at */
};

/* Borrows all; runs_dir_fd may be -1 (nothing is found then). Settings are read at each use, so
 * a reload holds at once. Without inotify (settings, or none to be had, for now) polling serves. */
int followers_new(struct loop *loop, struct offload *offload, const struct settings *settings,
                  int runs_dir_fd, struct followers **ret_followers);
/* All followers must have been released. */
void followers_free(struct followers **followers);
struct followers_figures followers_figures(const struct followers *followers);
/* The runs directory is another one than before, or may be: all is looked at, and watched, anew. */
void followers_look_anew(struct followers *followers);
/* The settings were changed in place: who waits for its next look waits for the new interval. */
void followers_settings_changed(struct followers *followers);
bool followers_have_inotify(const struct followers *followers);

/*
 * The follower of the file `name` in the directory `directory` (relative to the runs directory);
 * made if need be, one more reference. Returns 0 or -ENOMEM; its source is ready later.
 */
int followers_get(struct followers *followers, const char *directory, const char *name,
                  struct follower **ret_follower);

#endif
