/* The run-info of a run that exec owns: running, and then how it ended. */
#ifndef ADMIN_EXEC_RECORD_H
#define ADMIN_EXEC_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/run_folder.h"
#include "conf/settings.h"
#include "store/run_info.h"

enum {
	EXEC_RECORD_SIGNAL_CODE = 128, /* + the signal is the exit code, as shells say it */
	/* A run-info has 64 KiB (store/run_info.h), a command line may have megabytes: the rest
	 * becomes "…". */
	EXEC_RECORD_COMMANDLINE_BYTES = 4096,
};

struct exec_record {
	const struct run_folder *folder; /* borrowed */
	const char *name;                /* of the file; borrowed */
	struct run_info info;
	int reserve_fd;                  /* room on the disk for the end; -1: none */
};

/* How a command ended. */
struct exec_ending {
	const char *command;  /* its first word */
	int exec_error;       /* -errno: it was never started; else 0, and: */
	int wait_status;      /* of waitpid(2) */
	bool was_told_to_end; /* a signal that asks for an end was forwarded to it */
	uint64_t lost_bytes;  /* of its output, missing in the logs; why: */
	int lost_error;       /* -errno */
};

/*
 * project and task may be NULL. With is_one_stream, stderr has no log of its own. 0 or -errno; on
 * failure there is nothing to free.
 */
int exec_record_init(struct exec_record *record, const struct run_folder *folder,
                     const struct settings *settings, const char *project, const char *task,
                     bool is_one_stream, char *const *command);
void exec_record_fini(struct exec_record *record);

/*
 * Writes that the run is running, from now on, in that process, and keeps room on the disk, where
 * the file system can, for writing its end: whatever fills the disk meanwhile. 0 or -errno.
 */
int exec_record_write_start(struct exec_record *record, pid_t pid);

/*
 * Writes the end:
 *   completed  exit status 0;
 *   stopped    told to end by SIGINT, SIGTERM, SIGHUP or SIGQUIT, which was forwarded to it or
 *              killed it, whoever sent it;
 *   crashed    killed by another signal;
 *   failed     any other exit status, or never started (127: not found, 126: not executable).
 * 0 or -errno.
 */
int exec_record_write_end(struct exec_record *record, const struct exec_ending *ending);

/* A line that a shell would read as the same command, cut at EXEC_RECORD_COMMANDLINE_BYTES. */
char *exec_record_commandline(char *const *command); /* returns owned, or NULL */

/* SIGINT, SIGTERM, SIGHUP, SIGQUIT: those that ask to end. */
bool exec_record_is_ending_signal(int signal_number);

#endif
