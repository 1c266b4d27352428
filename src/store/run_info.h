/*
 * run-info.yaml: what the owner of a run says of it. Others wrote it, so it is read with
 * bounds: size, depth, no aliases; and with patience: keys that we do not know and values that
 * are not what they should be are passed over, as a run is worth streaming without them.
 */
#ifndef STORE_RUN_INFO_H
#define STORE_RUN_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { RUN_INFO_VERSION = 1, RUN_INFO_BYTES = 64 * 1024, RUN_INFO_DEPTH = 16 };

/* Strings are owned by the struct, UTF-8 without NULs; NULL when absent. */
struct run_info {
	char *run_id;
	char *project_id;
	char *task_id;
	char *parent_run_id;
	char *previous_run_id;
	char *agent;
	char *agent_version;
	char *process_ownership;
	int64_t pid;           /* 0 when absent */
	int64_t pgid;
	int64_t start_time_ms; /* since the epoch; 0: absent, or the zero time 0001-01-01T00:00:00Z */
	int64_t end_time_ms;
	int32_t exit_code;     /* -1 when absent */
	char *status;          /* as written; see run_info_status() */
	char *cwd;
	char *prompt_path;
	char *output_path;
	char *stdout_path;
	char *stderr_path;
	char *commandline;
	char *error_summary;
};

/* Empty: exit_code -1, all else 0. */
void run_info_init(struct run_info *info);
void run_info_fini(struct run_info *info);

/*
 * Parses text. 0 (the caller calls run_info_fini()); -EFBIG above RUN_INFO_BYTES;
 * -EPROTONOSUPPORT: a version above ours; -EBADMSG: not YAML, not a mapping, too deep, or with
 * aliases; -ENOMEM.
 */
int run_info_parse(const char *text, size_t length, struct run_info *ret_info);

/* Reads a file beneath a folder. As run_info_parse() and run_dir_open_file(). */
int run_info_read(int dir_fd, const char *name, struct run_info *ret_info);

/*
 * Writes it atomically: a temporary file beside it, then a rename. With sync it survives a loss
 * of power once this returns. Bytes of strings that YAML cannot hold become '?'. 0 or -errno.
 */
int run_info_write(int dir_fd, const char *name, const struct run_info *info, bool sync);

/* The status that counts: "completed" for an empty one with an exit code, "unknown" for an empty
 * one without. Borrows from info. */
const char *run_info_status(const struct run_info *info);

/* completed, failed, cancelled, crashed, stopped. */
bool run_info_status_is_terminal(const char *status);

#endif
