/*
 * inotify(7) as a hint: somebody touched a name in a directory. Never the truth: events may be
 * lost, late, or about something else; whoever is called looks for himself.
 */
#ifndef FOLLOW_WATCH_H
#define FOLLOW_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "follow/hash_table.h"

struct watch;

/* name: what was touched, or NULL: look at everything (overflow, the directory itself changed). */
typedef void watched_name_fn(void *arg, const char *name);

/* One directory; embedded in its owner. */
struct watched_directory {
	int descriptor; /* inotify's; -1: not watched */
	watched_name_fn *fn;
	void *arg;
	UT_hash_handle hh;
};

/* Returns 0 or -errno (EMFILE: too many inotify instances for this user). Returns owned. */
int watch_new(struct loop *loop, struct watch **ret_watch);
/* How often the kernel's queue was full: all who watch were told then that something happened. */
uint64_t watch_overflows(const struct watch *watch);
void watch_free(struct watch **watch);

/*
 * Asks the kernel to watch an open directory (O_PATH will do); may block on the file system, and
 * may be called from a helper thread. Returns inotify's descriptor or -errno (ENOSPC: too many
 * watches for this user).
 */
int watch_ask(struct watch *watch, int directory_fd);

/* In the loop's thread: has fn called for what watch_ask() returned. */
void watch_add(struct watch *watch, struct watched_directory *directory, int descriptor,
               watched_name_fn *fn, void *arg);
/* Forgets it; fn is not called again. Takes one that is not watched. */
void watch_remove(struct watch *watch, struct watched_directory *directory);

#endif
