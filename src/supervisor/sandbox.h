/*
 * What each of the processes may still do: the system calls that its role makes
 * (base/syscall_filter.h), and of the file system what it has to read and write (base/landlock.h). On
 * top of privileges.h, whoever the user is.
 *
 * The supervisor enters its own when all is made that it makes once. The children inherit that, so it
 * has what any of them calls as well; what is in neither (to start a program, to make a socket of
 * another kind or connect one, to trace, to mount, to make memory executable) is no role's. Files it reads
 * wherever the configuration is.
 *
 * Reading, and where runs are recorded writing, ends at the folder that the runs directory lies in,
 * not at that directory itself: it may be made anew or mounted while we run, and a rule holds for
 * the one that there was. Where it lies in the root, reading is not limited.
 *
 * What is written in the state directory is kept apart: there both may write. Without Landlock the filter
 * cannot see where in the end: it is left to the user's rights, then.
 *
 * Not in builds with sanitizers or for coverage: those make calls of their own.
 */
#ifndef SUPERVISOR_SANDBOX_H
#define SUPERVISOR_SANDBOX_H

#include <stdbool.h>

enum sandbox_role { SANDBOX_SUPERVISOR, SANDBOX_DISCOVERY, SANDBOX_WORKER };

struct sandbox {
	enum sandbox_role role;
	bool changes_user;    /* the supervisor's children become another user */
	bool records;         /* runs are recorded: a worker may write */
	const char *runs_dir; /* borrowed: its path, as configured */
	int runs_dir_fd;      /* borrowed; -1: it is missing */
	int state_dir_fd;     /* borrowed: what lies in it may be written; -1: there is none */
};

/* What has come to be. */
struct sandbox_state {
	bool has_filter, has_landlock;
};

/* Whether this build has one. */
bool sandbox_is_built(void);

/*
 * For this process, and for good; with PR_SET_NO_NEW_PRIVS (privileges_drop()), before there are threads. What the kernel
 * does not have is left out, as ret_state says: without Landlock a role that only reads is kept from
 * opening for writing by the filter. 0, or -errno: the process must then end.
 */
int sandbox_enter(const struct sandbox *sandbox, struct sandbox_state *ret_state);

#endif
