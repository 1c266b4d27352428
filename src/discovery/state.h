/* What discovery knows, shared by its files and nobody else. */
#ifndef DISCOVERY_STATE_H
#define DISCOVERY_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/loop.h"
#include "shm/instance.h"
#include "shm/registry_writer.h"

enum {
	/* A folder (or file) that changed less than this before it was read may change again
	 * without its time showing it: some file systems count in steps of two seconds. */
	RACY_MS = 2000,
	PATH_BYTES_MAX = 3 * (REGISTRY_NAME_BYTES + 1) + 16,
};

/* The folders that are listed. What lies in a runs folder, or in the root, may be a run. */
enum folder_kind {
	FOLDER_ROOT, /* <runs_dir>: projects and runs */
	FOLDER_TOP,  /* <runs_dir>/<project>: tasks; or an empty folder that is to be a run */
	FOLDER_TASK, /* <runs_dir>/<project>/<task>; its folder "runs" is what is listed */
};

struct folder {
	enum folder_kind kind;
	struct folder *parent;
	struct folder *children;       /* hash by name */
	struct candidate *candidates;  /* hash by name */
	uint32_t first_run;            /* list of its runs, by slot + 1; 0: none */
	UT_hash_handle hh;
	TAILQ_ENTRY(folder) entry;     /* of all; a parent stands before its children */
	uint32_t round;                /* of the last listing of its parent that showed it */
	int wd;                        /* -1: not watched */
	bool watches_above;            /* a task without "runs" yet: its own folder is watched */
	bool is_listed, must_list, is_racy;
	bool is_unreadable;            /* and that was said */
	dev_t dev;                     /* as it was when it was listed */
	ino_t ino;
	int64_t mtime_ns;
	char name[];
};
TAILQ_HEAD(folder_list, folder);

/* A folder where runs are, that holds no run's file yet. */
struct candidate {
	struct folder *folder;
	UT_hash_handle hh;
	TAILQ_ENTRY(candidate) entry;
	uint32_t round;
	int wd;
	char name[];
};
TAILQ_HEAD(candidate_list, candidate);

/* What is known of a run besides what the registry says, by slot. */
struct run {
	struct folder *folder;   /* where it was found; NULL: not, or not any more */
	uint32_t next, previous; /* in the folder's list, slot + 1 */
	uint32_t round;
	uint32_t close_place;    /* in the list of those looked at closely, + 1; 0: not in it */
	ino_t info_ino;          /* as it was read; 0: there was none */
	int64_t info_mtime_ns;
	int64_t info_bytes;
	int wd;
	bool info_is_racy;
	bool is_contested;       /* another folder has the same name */
};

/* What a watch stands for: a folder, a candidate, or (both NULL) the run in slot. */
struct watch {
	int wd;
	struct folder *folder;
	struct candidate *candidate;
	uint32_t slot;
	UT_hash_handle hh;
};

/* A folder whose id another has, and that was reported. */
struct duplicate {
	UT_hash_handle hh;
	char path[];
};

struct discovery {
	struct instance *instance;
	struct loop *loop;
	struct registry_writer *writer;
	const struct registry *registry;

	int root_fd;             /* O_PATH of the runs directory; -1: missing */
	bool root_was_missing;   /* and that was said */
	struct folder *root;
	struct folder_list folders;
	size_t folder_count;
	struct candidate_list candidates;
	size_t candidate_count;
	struct run *runs;        /* by slot; registry_capacity() of them */
	uint32_t *close;         /* slots looked at at each look */
	size_t close_count, close_capacity, close_next;
	uint32_t sweep_next;
	struct duplicate *duplicates;
	uint32_t round;
	uint64_t look_count;
	bool is_settled;         /* runs of an earlier discovery were found again, or deleted */
	bool full_was_said;

	int inotify_fd;
	bool watches_work;       /* the file system tells of changes */
	bool watches_ran_out;
	struct loop_fd inotify_watch;
	struct watch *watches;   /* hash by wd */

	struct loop_fd bell_watch, supervisor_watch;
	struct loop_timer look_timer;
	bool bell_rung;          /* since the last look began */
	int64_t look_began_ms, look_ended_ms; /* monotonic; of the last one */
	uint64_t changes_rung;   /* registry_changes_now() when the workers were last told */
	int64_t last_ring_ms;
};

/* --- discovery.c --- */

/* Tells the workers if anything changed since they were told; always when forced. */
void discovery_ring(struct discovery *d, bool forced);

/* --- folders.c --- */

int folders_start(struct discovery *d); /* makes the root; 0 or -errno */
/* Frees all, and says nothing of runs: they are there for the next discovery. */
void folders_stop(struct discovery *d);
/* Everything is to be listed anew. */
void folders_forget_listings(struct discovery *d);

/* Makes a folder beneath parent; NULL without memory. */
struct folder *folder_new(struct discovery *d, struct folder *parent, enum folder_kind kind,
                          const char *name);
/* Its runs are deleted, its candidates and children forgotten; it can be listed again. */
void folder_empty(struct discovery *d, struct folder *folder);
/* Empties and frees it. Not for the root. */
void folder_remove(struct discovery *d, struct folder *folder);
struct folder *folder_child(struct folder *folder, const char *name); /* NULL: none */
struct candidate *folder_candidate(struct folder *folder, const char *name);
void candidate_free(struct discovery *d, struct candidate *candidate);
/* What is listed, beneath the runs directory. */
void folder_path(const struct folder *folder, char path[static PATH_BYTES_MAX]);

/* --- scan.c --- */

/* Lists what may have changed; all_folders: also those whose watch is trusted. */
void scan_folders(struct discovery *d, bool all_folders);
void scan_candidates(struct discovery *d, size_t most);
/* Something happened to that name in the folder. */
void scan_name(struct discovery *d, struct folder *folder, const char *name);
void scan_candidate(struct discovery *d, struct candidate *candidate);
/* Lists the folders that scan_name() came upon. */
void scan_found(struct discovery *d);

/* --- runs.c --- */

/* Whether a folder holds a run's file: 1, 0 or -errno. */
int runs_probe(struct discovery *d, const struct folder *folder, const char *name);
/* Whether the run is known to lie in that folder; *ret_slot then. */
bool runs_lies_in(const struct discovery *d, const struct folder *folder, const char *name,
                  uint32_t *ret_slot);
/* Takes up the run. 0 (also when its id is another's), -ENOSPC or other -errno. */
int runs_add(struct discovery *d, struct folder *folder, const char *name);
void runs_refresh(struct discovery *d, uint32_t slot, bool anew);
void runs_delete(struct discovery *d, uint32_t slot);
void runs_look_closely(struct discovery *d);
void runs_sweep(struct discovery *d, int64_t elapsed_ms);
/* Deletes what an earlier discovery knew and this one did not find. */
void runs_settle(struct discovery *d);

/* --- info.c --- */

/* What identifies the run-info that was read; ino 0: there was none. */
struct info_seen {
	ino_t ino;
	int64_t mtime_ns, bytes;
	bool is_racy;
};

/* An entry for a run of which nothing but its place is known. */
void info_blank(const struct folder *folder, const char *name, struct registry_run *ret_entry);
/* Reads the run-info of the run in the folder dir_fd, if there is one, into entry. */
void info_read(struct discovery *d, int dir_fd, const char *path, struct registry_run *entry,
               struct info_seen *ret_seen);

/* --- watch.c --- */

void watch_start(struct discovery *d);
void watch_stop(struct discovery *d);
/* Finds out whether the root's file system tells of changes. */
void watch_choose(struct discovery *d);
void watch_folder(struct discovery *d, struct folder *folder, int fd);
void watch_candidate(struct discovery *d, struct candidate *candidate);
void watch_run(struct discovery *d, uint32_t slot, int fd);
void watch_drop(struct discovery *d, int *wd);
/* Takes in what was told until now. */
void watch_read(struct discovery *d);

/* --- helpers --- */

static inline int64_t
mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Clocks of file servers may be off; a time far in the future is not one that is being set. */
static inline bool
is_racy(const struct stat *st, int64_t wall_ms)
{
	int64_t age_ms = wall_ms - mtime_ns(st) / 1000000;

	return age_ms < RACY_MS && age_ms > -60000;
}

#endif
