/*
 * What discovery knows, shared by its files and nobody else. They stand one above another, as
 * their declarations do here, the lowest first, and none calls what is above it:
 *
 *   discovery   the process: when a look is due
 *   root        the runs directory itself
 *   hints       what inotify told
 *   scan        listing folders
 *   candidates  folders that may become runs
 *   folders     the tree of those that are known
 *   turns       which of them are looked at
 *   runs, buses what they hold, and what the registries say of it
 *   info        reading a run-info
 *   watch       which folders are watched
 *   calls       what may hang
 *   errands     the thread that does it all, and what is done when it hangs
 *   bells       telling the workers
 *   paths       where things lie
 *
 * Whatever may hang goes through calls: at each of them all that is here has to be in order, since
 * it may never return (errands.c).
 */
#ifndef DISCOVERY_STATE_H
#define DISCOVERY_STATE_H

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <uthash.h>

#include "base/episode.h"
#include "base/loop.h"
#include "base/offload.h"
#include "model/run_id.h"
#include "shm/counters.h"
#include "shm/instance.h"
#include "shm/pulse.h"
#include "shm/registry_writer.h"
#include "store/run_info.h"

enum {
	/* A folder (or file) that changed less than this before it was read may change again
	 * without its time showing it: some file systems count in steps of two seconds. */
	RACY_MS = 2000,
	PATH_BYTES_MAX = 3 * (REGISTRY_NAME_BYTES + 1) + 16,
	SLOTS_A_BELL = 64, /* that are asked for, looked at in one turn */
	HINTS_BYTES = 16 * 1024, /* read at once */
};

/* What there is to do in an errand. */
enum {
	ERRAND_HINTS = 1, /* of inotify */
	ERRAND_BELL = 2,  /* what is asked for */
	ERRAND_LOOK = 4,  /* all of that, and the rest */
};

/* The folders that are listed. What lies in a runs folder, or in the root, may be a run. */
enum folder_kind {
	FOLDER_ROOT, /* <runs_dir>: projects and runs */
	FOLDER_TOP,  /* <runs_dir>/<project>: tasks; or an empty folder that is to be a run */
	FOLDER_TASK, /* <runs_dir>/<project>/<task>; its folder "runs" is what is listed. A bus or
	              * a folder "runs" that it has not is looked for by name. */
};

struct folder;
TAILQ_HEAD(folder_list, folder);

struct folder {
	enum folder_kind kind;
	struct folder *parent;
	struct folder *children;       /* hash by name */
	struct candidate *candidates;  /* hash by name */
	uint32_t first_run;            /* list of its runs, by slot + 1; 0: none */
	UT_hash_handle hh;
	TAILQ_ENTRY(folder) entry;     /* of all; a parent stands before its children */
	TAILQ_ENTRY(folder) turn;
	struct folder_list *turns;     /* the one that turn is in; NULL: none */
	uint32_t round;                /* of the last listing of its parent that showed it */
	uint32_t bus;                  /* its slot + 1; 0: none is known */
	bool bus_is_refused;           /* another has its id, and that was said */
	int wd;                        /* of what is listed; -1: not watched */
	int above_wd;                  /* of a task's own folder, as long as it has not got all */
	bool is_listed, must_list, is_racy;
	bool is_unreadable;            /* or was, at the last attempt */
	dev_t dev;                     /* as it was when it was listed */
	ino_t ino;
	int64_t mtime_ns;
	char name[];
};

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

struct errand;
TAILQ_HEAD(errand_list, errand);

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
	bool is_above; /* it is the task's own folder, not its "runs" */
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

	/* The loop's thread has this, and the rest only while no errand is under way. */
	struct offload *offload;
	struct errand *errand;   /* that is under way; NULL: none */
	struct errand_list hung; /* those that were set aside */
	unsigned todo;           /* in the next one */
	struct loop_timer errand_timer;
	int64_t patience_ms;     /* 0: as usual */
	char slow[PATH_BYTES_MAX]; /* what hung last, and returned */
	int64_t slow_ms;         /* and when */
	bool is_ending;          /* atomic */
	void (*do_errand)(struct discovery *d, unsigned todo);
	void (*errand_is_done)(struct discovery *d, unsigned todo);
	struct settings *new_settings; /* that came while one was under way; or NULL */

	struct counters *counters_map;
	struct counters_values *counters; /* of ours, in it */
	struct registry_writer *writer;
	const struct registry *registry;

	int root_fd;             /* O_PATH of the runs directory; -1: missing */
	bool root_was_missing;   /* and that was said */
	bool root_was_empty;     /* likewise, of what was in its place */
	struct folder *root;
	struct folder_list folders;
	size_t folder_count;
	bool must_list_all;      /* at the next occasion */
	/* Those that have a turn in the next round, and in the one that goes on (turns.c). */
	struct folder_list wanted, pending;
	size_t wanted_count;     /* in both */
	bool round_goes_on;
	struct folder *trusted_next; /* of those that are not wanted; NULL: the first */
	struct candidate_list candidates;
	size_t candidate_count;
	struct run *runs;        /* by slot; registry_capacity() of them */
	uint32_t *close;         /* slots looked at at each look */
	size_t close_count, close_capacity, close_next;
	uint32_t sweep_next;
	struct duplicate *duplicates;
	uint32_t round;
	uint64_t look_count;
	bool is_settled;         /* what an earlier discovery knew was found again, or deleted */
	/* The registry, or its memory, was full: tried again when there is room, and now and then. */
	bool is_full, has_room;
	int64_t full_said_ms, full_tried_ms;
	struct episode folders_unread, infos_unread, inotify_refused, overflows;
	int folder_error, info_error, inotify_error;
	char folder_failed[2 * (REGISTRY_NAME_BYTES + 1)]; /* the last one */

	struct registry_writer *bus_writer;
	const struct registry *buses;
	struct folder **bus_folders; /* by slot; NULL: no folder stands for it */
	uint32_t bus_sweep_next;
	bool buses_failure_was_said;

	int inotify_fd;
	bool must_choose_watches;
	bool watches_work;       /* the file system tells of changes */
	bool watches_ran_out;
	int64_t watches_tried_ms; /* when inotify, or a watch, was refused */
	struct loop_fd inotify_watch;
	struct watch *watches;   /* hash by wd */
	/* What was read and has yet to be taken: an errand that is set aside goes on in another. */
	size_t hints_at, hints_end;
	_Alignas(8) char hints[HINTS_BYTES];

	struct loop_fd bell_watch, supervisor_watch;
	struct loop_timer look_timer, prune_timer;
	int prune_error;         /* the last one: said once */
	struct pulse pulse;
	bool bell_rung;          /* since the last look began */
	bool look_is_forced;     /* the one that goes on */
	bool look_left_out;      /* it: something that hangs, or could not be looked at just now */
	uint32_t slots[SLOTS_A_BELL]; /* that were asked for, and have yet to be looked at */
	size_t slot_count;
	int64_t look_began_ms, look_ended_ms; /* monotonic; of the last one */
	uint64_t changes_rung, bus_changes_rung; /* registry_changes_now() when workers were told */
	int64_t last_ring_ms;
};

/* --- paths.c --- */

/* Beneath the runs directory. Of a task: not of "runs", but of what that is in. */
void path_of_folder(const struct folder *folder, char path[static PATH_BYTES_MAX]);
/* What is listed: of a task its "runs". */
void path_of_listed(const struct folder *folder, char path[static PATH_BYTES_MAX]);
/* Of whatever has that name in what is listed. */
void path_of_name(const struct folder *folder, const char *name,
                  char path[static 2 * PATH_BYTES_MAX]);
/* Of the folder with that name in what is listed, in the root or of a task. */
void path_of_run(const struct folder *folder, const char *name, char path[static PATH_BYTES_MAX]);

/* --- bells.c --- */

/* Whether anything changed since the workers were told. */
bool bells_are_due(const struct discovery *d);
/* Tells the workers if anything changed since they were told; always when forced. */
void bells_ring(struct discovery *d, bool forced);

/* --- errands.c: of the loop's thread --- */

int errands_start(struct discovery *d); /* 0 or -errno */
/* False: a thread hangs, and uses what there is; the process had better end. */
bool errands_stop(struct discovery *d);
/* Has what is in todo done: now, or when the errand that is under way is over. */
void errands_go(struct discovery *d);

/* --- errands.c: of the errand's thread (of another one these do nothing) --- */

/* A call begins: about what path beneath the runs directory (borrowed until its end; "." is that
 * itself). False: what lies there hangs, or may, and is to be left alone. */
bool errand_enter(struct discovery *d, const char *about);
/* It returned. Does not return itself if the errand was set aside meanwhile. */
void errand_leave(void);
/* Likewise, for who has something to free before it calls errand_abandon(): false then. */
bool errand_is_over(void);
_Noreturn void errand_abandon(void);
/* Closed if the errand is set aside, unless they are released. */
void errand_keep_fd(int fd);
void errand_release_fd(int fd);
void errand_keep_dir(DIR *dir); /* NULL: not any more */

/* --- calls.c --- */

/*
 * Each is about a path, as errand_enter() says, and does what the system call of its name does.
 * 0 or -errno; CALL_HELD: it was not made.
 */
enum { CALL_HELD = -EINPROGRESS };

int call_open(struct discovery *d, const char *path, int *ret_fd);      /* run_dir_open() */
int call_open_list(struct discovery *d, const char *path, int *ret_fd); /* run_dir_open_list() */
/* The folder that dir_fd is, to list it. */
int call_open_in(struct discovery *d, const char *about, int dir_fd, int *ret_fd);
int call_open_root(struct discovery *d, const char *path, int *ret_fd);
void call_close(int *fd);
/* fstatat(2) that follows no link at the end; fstat(2) of dir_fd when path is empty. */
int call_stat(struct discovery *d, const char *about, int dir_fd, const char *path,
              struct stat *ret_st);
int call_statx(struct discovery *d, const char *about, int dir_fd, const char *name, unsigned mask,
               struct statx *ret_stx);
/* The fingerprint of the first so many bytes of a file (model/fingerprint.h). */
int call_fingerprint(struct discovery *d, const char *about, int dir_fd, const char *name, uint64_t bytes,
                     uint64_t *ret_fingerprint);
int call_statfs(struct discovery *d, const char *about, int fd, struct statfs *ret_fs);
/* Watches what fd is; its number or -errno. */
int call_watch(struct discovery *d, const char *about, int fd, uint32_t events);
/* fdopendir(3): the stream has *fd then. */
int call_list(struct discovery *d, const char *about, int *fd, DIR **ret_dir);
/* NULL at the end. */
int call_list_next(struct discovery *d, const char *about, DIR *dir, struct dirent **ret_entry);
void call_list_end(DIR *dir);
/* run_info_read(); the caller calls run_info_fini(). */
int call_read_info(struct discovery *d, const char *about, int dir_fd, struct run_info *ret_info);

/* --- root.c --- */

/* Whether there is a runs directory to look at. It may have come, gone, or be another one. */
bool root_check(struct discovery *d);

/* --- watch.c --- */

/* If inotify is not to be had it is tried again by watch_retry(). The loop is to have hints read. */
void watch_start(struct discovery *d);
void watch_stop(struct discovery *d);
/* Has what was refused again if it can be had by now. */
void watch_retry(struct discovery *d);
/* Finds out whether the root's file system tells of changes. */
void watch_choose(struct discovery *d);
/* fd: what is listed, and path: where that is. */
void watch_folder(struct discovery *d, struct folder *folder, const char *path, int fd);
/* fd: the task's own folder. */
void watch_above(struct discovery *d, struct folder *task, const char *path, int fd);
/* fd: its folder. */
void watch_candidate(struct discovery *d, struct candidate *candidate, const char *path, int fd);
void watch_run(struct discovery *d, uint32_t slot, const char *path, int fd);
void watch_drop(struct discovery *d, int *wd);
/* Whether one more may be had. */
bool watch_may_add(const struct discovery *d);
struct watch *watch_find(struct discovery *d, int wd); /* NULL: none (any more) */
/* The kernel has dropped it; frees it. */
void watch_forget(struct discovery *d, struct watch *watch);

/* --- info.c --- */

/* What identifies the run-info that was read; ino 0: there was none. */
struct info_seen {
	ino_t ino;
	int64_t mtime_ns, bytes;
	bool is_racy;
};

/* An entry for a run of which nothing but its place is known. */
void info_blank(const struct folder *folder, const char *name, struct registry_run *ret_entry);
/* Reads the run-info of the run in the folder dir_fd, if there is one, into entry; and notes how much
 * there is of its files if it says that the run, which was not, is over. Whether it is known now what it
 * says. */
bool info_read(struct discovery *d, int dir_fd, const char *path, struct registry_run *entry,
               struct info_seen *ret_seen);

/* --- runs.c --- */

/* Whether a file of that name makes a folder a run. */
bool runs_is_file(const struct discovery *d, const char *name);
/* Whether a folder holds a run's file: 1, 0 or -errno. */
int runs_probe(struct discovery *d, const struct folder *folder, const char *name);
/* Whether the run is known to lie in that folder; *ret_slot then. */
bool runs_lies_in(const struct discovery *d, const struct folder *folder, const char *name,
                  uint32_t *ret_slot);
/* Whether runs that had no room are to be tried again: all is listed then. */
bool runs_retry(struct discovery *d);
/* After a look that tried again: nothing was refused, so there is room. */
void runs_fit(struct discovery *d);
/* Takes up the run. 0 (also when its id is another's), -ENOSPC or other -errno. */
int runs_add(struct discovery *d, struct folder *folder, const char *name);
/* Looks at its run-info. Whether it is known by now what that says. */
bool runs_refresh(struct discovery *d, uint32_t slot, bool anew);
void runs_delete(struct discovery *d, uint32_t slot);
void runs_look_closely(struct discovery *d);
void runs_sweep(struct discovery *d, int64_t elapsed_ms);
/* Deletes what an earlier discovery knew and this one did not find. */
void runs_settle(struct discovery *d);

/* --- buses.c --- */

int buses_start(struct discovery *d); /* 0 or -errno */
void buses_stop(struct discovery *d);
/* Takes up the bus of the project's or task's own folder, if it has one that is not known yet. */
void buses_look(struct discovery *d, struct folder *folder);
/* The folder is gone, and its bus with it, if it had one. */
void buses_delete(struct discovery *d, struct folder *folder);
/* Deletes what an earlier discovery knew and this one did not find. */
void buses_settle(struct discovery *d);
void buses_sweep(struct discovery *d, int64_t elapsed_ms);

/* --- trails.c --- */

void trails_start(struct discovery *d);
void trails_stop(struct discovery *d);

/* --- folders.c --- */

int folders_start(struct discovery *d); /* makes the root; 0 or -errno */
/* Frees all, and says nothing of runs: they are there for the next discovery. */
void folders_stop(struct discovery *d);

/* Makes a folder beneath parent; NULL without memory: then the parent is listed again. */
struct folder *folder_new(struct discovery *d, struct folder *parent, enum folder_kind kind,
                          const char *name);
/* Its runs are deleted, its candidates and children forgotten; it can be listed again. */
void folder_empty(struct discovery *d, struct folder *folder);
/* Empties and frees it; its bus is deleted. Not for the root. */
void folder_remove(struct discovery *d, struct folder *folder);
struct folder *folder_child(struct folder *folder, const char *name); /* NULL: none */
struct candidate *folder_candidate(struct folder *folder, const char *name);
void candidate_free(struct discovery *d, struct candidate *candidate);
/* Of what is listed. 0 or -errno. */
int folder_stat(struct discovery *d, const struct folder *folder, struct stat *ret_st);

/* --- turns.c --- */

void turns_start(struct discovery *d);
/* The folder is looked at in the next look, or in the one that goes on: it may have changed, or
 * nobody tells of it any more. */
void turns_want(struct discovery *d, struct folder *folder);
/* Listed, too. */
void turns_list_again(struct discovery *d, struct folder *folder);
void turns_list_all(struct discovery *d);
void turns_leave(struct discovery *d, struct folder *folder); /* before it is freed */
/* All that are wanted have one turn each: those that turns_next() gives until it gives NULL. */
void turns_begin(struct discovery *d);
struct folder *turns_next(struct discovery *d);
/* Of all folders one after another, without end. */
struct folder *turns_next_trusted(struct discovery *d);

/* --- candidates.c --- */

/* Takes up a folder that holds no run's file; its parent is listed again if there are too many. */
void candidate_new(struct discovery *d, struct folder *folder, const char *name);
/* Frees it if it is a run by now, or gone. */
void candidate_look(struct discovery *d, struct candidate *candidate);
void candidates_look(struct discovery *d, size_t most); /* the next ones in turn */

/* --- scan.c --- */

/* Lists what may have changed; all_folders: also those whose watch is trusted. */
void scan_folders(struct discovery *d, bool all_folders);
/* A folder of that name is in the folder. */
void scan_see(struct discovery *d, struct folder *folder, const char *name);
/* A folder that was taken for a project's has got a run's file. May free it. */
void scan_top_is_run(struct discovery *d, struct folder *top);
/* Lists the folders that hints came upon. */
void scan_found(struct discovery *d);

/* --- hints.c --- */

/* Takes in what inotify told until now. */
void hints_read(struct discovery *d);

/* --- helpers --- */

/* There is no folder of that name (any more), whatever there may be instead. */
static inline bool
is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* What may be looked at, and cannot be just now, is not known; what may not be is passed over. */
static inline bool
is_for_now(int error)
{
	return error < 0 && !is_gone(error) && error != -EACCES && error != -EPERM;
}

static inline bool
may_be_ours(const char *name)
{
	return name[0] != '.' && run_id_valid(name, strlen(name));
}

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
