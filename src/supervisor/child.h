/*
 * One process of the pool: how it is born, and what is known of it while it lives. A child is
 * forked and not executed, so it starts with what the supervisor has, and gives up what is not
 * its own.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "shm/instance.h"
#include "supervisor/back_off.h"
#include "supervisor/privileges.h"
#include "supervisor/sandbox.h"

/* A role's main; what it returns is the exit status. */
typedef int child_main_fn(struct instance *instance);

enum { CHILD_NAME_BYTES = 24 };

struct child {
	char name[CHILD_NAME_BYTES]; /* "discovery", "worker-1" */
	uint32_t process;            /* on the board: 0 is discovery, n worker n */
	pid_t pid;                   /* 0: not running */
	int fd;                      /* our end of its supervisor_fd, non-blocking; or -1 */
	int64_t started_ms;          /* clock_now_ms() */
	struct back_off back_off;
	struct loop_timer timer;     /* set: waits to be started again, or, draining, to be killed */
	bool is_draining;            /* on its way to its end, by our wish */
	bool accepts;                /* or will in a moment: sockets may be assigned to it */
	uint64_t listen_set;         /* the sockets assigned to it (assignment.h) */
	uint64_t told_set;           /* those that it knows to be its own */
	struct loop_fd pulse_watch;  /* this and the next three are health's (health.h) */
	bool is_watched;
	bool is_up;                  /* has been heard of */
	int64_t pulse_ms;            /* when last; or when it was started */
	bool was_aborted;            /* by the watchdog */
	bool was_started;            /* at least once */
	bool has_failed;             /* at its last end: that was not our wish, or went wrong */
	bool may_write;              /* as it was started: runs can be recorded by it */
	void *owner;
};

/* All borrowed. */
struct child_plan {
	child_main_fn *main;
	struct instance *instance; /* but for supervisor_fd */
	const struct privileges *privileges;
	const struct sandbox *sandbox; /* NULL: none */
	int lock_fd; /* stays open in the child, untouched: the next supervisor waits for it */
};

/*
 * Forks the child. In it: signals as at the start (but no INT and HUP, which are the supervisor's
 * to handle), no descriptor that is not the instance's, its name (rs-worker-1), fewer
 * privileges, the sandbox; then plan's main. In the supervisor: 0, with pid, fd and started_ms set, or -errno.
 */
int child_start(struct child *child, const struct child_plan *plan);

/* After it ended: forgets pid and fd. */
void child_forget(struct child *child);

#endif
