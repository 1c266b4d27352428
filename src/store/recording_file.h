/* events.jsonl, locked for appending. Internal to recording. */
#ifndef STORE_RECORDING_FILE_H
#define STORE_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct recording_file {
	int fd;              /* -1: closed */
	dev_t device;
	ino_t inode;
	uint64_t size_bytes; /* when the lock was had */
	uint64_t end_bytes;  /* of the last whole line: behind it there may be blanks */
};

/*
 * Takes the exclusive lock of an open descriptor (flock(2)), waiting at most RECORDING_LOCK_MS.
 * 0; -EBUSY; other -errno.
 */
int recording_lock(int fd);

/*
 * Opens the file, makes it if there is none, and takes its lock. A last line without newline was
 * given time to be finished, and got its newline, or was taken away. 0; -EBUSY; as run_dir_open_append().
 */
int recording_file_open(int dir_fd, const char *name, struct recording_file *ret_file);
void recording_file_unlock(struct recording_file *file);
void recording_file_close(struct recording_file *file);

/*
 * Appends whole lines with one write. Returns how many of the bytes are there for good: all;
 * or, where the system took only some, those up to the last newline among them, and ret_error.
 */
size_t recording_file_append(struct recording_file *file, const char *lines, size_t length,
                             int *ret_error);

/* Syncs what was appended. 0 or -errno. */
int recording_file_sync(const struct recording_file *file);

/*
 * Calls fn for each line (without its newline) that begins at or behind offset from, and ends
 * before `to`; from is the start of a line. Lines longer than EVENT_LINE_BYTES are given as empty
 * ones. Ends early when fn returns other than 0, and returns that; or 0; or -errno. ret_offset:
 * behind the last line that was given to fn.
 */
typedef int recording_line_fn(const char *line, size_t length, void *arg);
int recording_file_lines(int fd, uint64_t from, uint64_t to, recording_line_fn *fn, void *arg,
                         uint64_t *ret_offset);

#endif
