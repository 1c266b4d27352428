/*
 * What follower.c (what a look means for the generations, which are a succession.h), look.c (when it is looked,
 * and by whom), look_path.c (what a look sees) and followers.c (who is followed) share of one another;
 * nobody else includes it.
 */
#ifndef FOLLOW_FOLLOWER_STATE_H
#define FOLLOW_FOLLOWER_STATE_H

#include <sys/stat.h>

#include "follow/beside.h"
#include "follow/file_generation.h"
#include "follow/follower.h"
#include "follow/followers.h"
#include "follow/hash_table.h"
#include "follow/passed.h"
#include "follow/rotated.h"
#include "follow/succession.h"
#include "follow/watch.h"

struct followers {
	struct loop *loop;
	struct offload *offload;
	const struct settings *settings;
	int runs_dir_fd;
	struct watch *watch; /* NULL: polling only */
	struct follower *by_path;
	struct directory *directories;
	uint64_t follower_count;
	struct loop_timer watch_timer; /* when to try to have inotify, which was not to be had */
	struct followers_figures figures; /* of what failed */
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

struct look;

/* What is known of the content of a file that nobody reads yet, so that it is noticed if it becomes
 * another, and a copy of it is found. */
struct look_known {
	uint64_t to, fingerprint; /* 0: nothing */
	bool is_other;            /* it is not what it was */
};

struct follower {
	struct source source;
	struct followers *set;
	struct directory *directory;
	TAILQ_ENTRY(follower) in_directory;
	unsigned references;

	struct succession succession; /* the current generation, and those before and behind it */
	struct beside beside;         /* a helper thread's, while one looks */
	bool has_failed;              /* the last look did */

	struct rotated *rotated; /* or NULL: nobody asked yet */
	struct look *look; /* in a helper thread */
	bool look_again;
	bool look_beside; /* the next look is to list what lies there, whatever changed */
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
	int64_t began_ms, seen_ms; /* on the monotonic clock; since the epoch: when the path was looked at */
	bool is_at_path;      /* the path names the current file */
	bool has_failed;      /* what is at the path could not be told */
	int error;            /* and why: an errno; or why it may not be opened */
	struct stat stat;     /* of the current file, if it has a descriptor */
	int found_fd;         /* another file at the path; or -1 */
	struct stat found_stat;
	enum file_system found_file_system;
	struct look_known found_known;
	/* What was there between the last one and that; or what the current one, which is at the path, held
	 * since it was looked at last. */
	struct beside_parts between;
	bool is_to_list;
	struct passed passed; /* owned: when the look began */
	/* Of the current one, when the look began. */
	bool was_rewritten;
	uint64_t size_bytes;
	struct timespec modified;
	struct cursor_mark known;    /* offset 0: nothing */
	bool is_other;               /* and it is not what it was, as a reader found, or the look did */
	/* Those that come and trail: st_size -1 if that could not be told. */
	size_t other_count, coming_count;
	struct {
		struct generation *generation; /* owned reference */
		struct stat stat;
		struct look_known known; /* of those that come */
	} others[];
};

static inline struct file_generation *
follower_current(const struct follower *f)
{
	return file_generation_of(f->source.current);
}

/* Without a reference yet, and in the set: the caller adds one. NULL without memory. */
struct follower *follower_new(struct followers *set, const char *directory, const char *name);
/* Takes in what a look saw, and tells the listeners. */
void follower_apply(struct follower *f, struct look *look);

/* Looks in a helper thread; if one is looking, once more when it is done. */
void look_begin(struct follower *f);
/* Looks at the end of this turn, so that many hints make one look. */
void look_soon(struct follower *f);
/* The settings were changed: the next look comes within the new interval. */
void look_reschedule(struct follower *f);

/* The look itself: what is at the path now, what of it came beside it, and the files that are open. May block
 * unless the file is open, local, and still at its path. */
void look_path_see(struct look *look);
/* Whether a file was written to, or emptied, since it was of this size and time. */
bool look_path_has_changed(uint64_t size_bytes, const struct timespec *modified, const struct stat *stat);
/* Whether the followed file's directory may have changed since it was listed. */
bool look_path_has_directory_changed(int runs_dir_fd, const struct follower *f);

/* One more reference to the directory, made if need be, or NULL without memory. */
struct directory *followers_get_directory(struct followers *set, const char *path);
void followers_release_directory(struct directory *d);

#endif
