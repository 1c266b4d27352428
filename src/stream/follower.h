/*
 * A followed file: the source (source.h) that looks at a path beneath the runs directory and
 * knows its generations. One per file and process, shared by all who read it, gone with the last.
 *
 * A look compares the size and the identity of what the path names with what is open:
 *  - grown: readers are told;
 *  - shrunk: the generation is lost, and a new one begins on the same file;
 *  - another file: it waits until the old one was read to its end and has rested for one
 *    poll interval after the new one had content, so that a line cut by a rotation and what
 *    the writer still adds to the old file come first; then the old generation ends;
 *  - missing, or not a regular file: the open one goes on.
 * Looks happen at inotify's hint, and by polling in any case: each healthy_poll_interval_ms
 * while the directory's watch works, each poll_interval_ms where it does not.
 */
#ifndef STREAM_FOLLOWER_H
#define STREAM_FOLLOWER_H

#include "base/loop.h"
#include "base/offload.h"
#include "conf/settings.h"
#include "stream/source.h"

struct follower;

/* All followers of a process, and what they share. */
struct followers;

struct followers_figures {
	uint64_t followers, files_open;
};

/* Borrows all; runs_dir_fd may be -1 (nothing is found then). Settings are read at each use, so
 * a reload holds at once. Without inotify (settings, or none to be had) polling serves. */
int followers_new(struct loop *loop, struct offload *offload, const struct settings *settings,
                  int runs_dir_fd, struct followers **ret_followers);
/* All followers must have been released. */
void followers_free(struct followers **followers);
struct followers_figures followers_figures(const struct followers *followers);
bool followers_have_inotify(const struct followers *followers);

/*
 * The follower of the file `name` in the directory `directory` (relative to the runs directory);
 * made if need be, one more reference. Returns 0 or -ENOMEM; its source is ready later.
 */
int follower_get(struct followers *followers, const char *directory, const char *name,
                 struct follower **ret_follower);
/* Drops a reference; sets the pointer to NULL. */
void follower_release(struct follower **follower);

struct source *follower_source(struct follower *follower);

/* Looks soon, whatever the interval. */
void follower_look(struct follower *follower);

#endif
