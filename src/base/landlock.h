/*
 * Which part of the file system a process may still read and write: landlock(7). Programs are not
 * started, and TCP is neither listened on nor connected to (Linux 6.7), wherever they are.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include <stdbool.h>

enum { LANDLOCK_FOLDERS_MAX = 4 };

struct landlock {
	/* O_PATH descriptors (borrowed; -1: none) of the folders beneath which may be read, or read
	 * and written. */
	int folders[LANDLOCK_FOLDERS_MAX];
	bool reads_all; /* reading is not limited; writing is */
	bool writes;    /* else nothing may be written or made beneath them */
	int writable_folder; /* as those, beneath which may be written in any case; -1: none */
};

/*
 * For this process, its threads, and for good. Needs PR_SET_NO_NEW_PRIVS, and one thread.
 * Descriptors that are open already, and O_PATH, are not concerned. 0, or -errno; -ENOSYS where
 * the kernel has none (before Linux 5.13, or it was not asked for at boot).
 */
int landlock_apply(const struct landlock *landlock);

#endif
