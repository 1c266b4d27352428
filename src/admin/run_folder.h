/* The folder of a run that exec makes, in either layout. */
#ifndef ADMIN_RUN_FOLDER_H
#define ADMIN_RUN_FOLDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/run_id.h"

enum { RUN_FOLDER_ERROR_BYTES = 512 };

struct run_folder {
	int fd;             /* O_RDONLY|O_DIRECTORY */
	char *path;         /* absolute */
	char run_id[RUN_ID_BYTES + 1];
};

/*
 * Makes <runs_dir>/<run_id>, or <runs_dir>/<project>/<task>/runs/<run_id> with what is missing
 * above it. The runs directory itself must be there: a mistyped one is not made. run_id NULL:
 * generates ids until one is free. 0, or -errno and one sentence in ret_error.
 */
int run_folder_make(const char *runs_dir, const char *project, const char *task, const char *run_id,
                    struct run_folder *ret_folder, char ret_error[static RUN_FOLDER_ERROR_BYTES]);
void run_folder_fini(struct run_folder *folder);

/*
 * Generates an id that sorts by time: "20260204-183042-4711" (UTC, pid), with "-2", "-3" … after
 * it from the second attempt on. attempt counts from 1.
 */
void run_folder_generate_id(int64_t wall_ms, pid_t pid, unsigned attempt,
                            char ret_id[static RUN_ID_BYTES + 1]);

#endif
