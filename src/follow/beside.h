/*
 * What has come to lie beside a followed file since it was last looked at: parts of the log that
 * were begun and rotated away between two looks, and that nobody saw at the path. What lay there
 * when the file began to be followed is older, and no concern of its readers.
 *
 * For the looks of one follower, in a helper thread, one at a time.
 */
#ifndef FOLLOW_BESIDE_H
#define FOLLOW_BESIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "follow/beside_parts.h"

struct beside_noted {
	uint32_t identity; /* 0: no file's */
	bool is_packed;
};

/* Embedded, zero-initialised. */
struct beside {
	bool is_listed;
	struct timespec changed; /* the directory, when it was listed */
	struct timespec newest;  /* when something of what was there was last written to */
	struct timespec newest_made; /* or made, where the file system tells that */
	size_t count;
	struct beside_noted *noted; /* owned: what was there */
	unsigned unreadable_count; /* since it was listed: so often, something could not be read */
};

void beside_fini(struct beside *beside);

/* A file that is open already. */
struct beside_open {
	int fd; /* borrowed */
	struct stat stat;
};

/* What was found is not taken: it is to be found again. */
void beside_forget(struct beside *beside, const struct beside_parts *parts);

/* Whether a file was there when it was listed. */
bool beside_is_noted(const struct beside *beside, uint32_t identity);

/* Whether there was something that was made or written to since a time, in milliseconds since the epoch; to the
 * second. */
bool beside_has_since(const struct beside *beside, int64_t since_ms);

/* Notes what lies there. 0 or -errno: then it is tried again, at the next look. */
int beside_note(struct beside *beside, int runs_dir_fd, const char *directory, const char *name);

/* Whether the directory may have changed since it was listed. */
bool beside_has_changed(const struct beside *beside, const struct stat *directory);

/* The files that are open. */
struct beside_files {
	const struct beside_open *open; /* borrowed */
	size_t count;
	size_t earlier_count; /* so many of the last are earlier than what is looked for */
	struct beside_known known;
};

/*
 * Finds what is new there, and neither one of the open files nor a copy of one, and is later than
 * each of the last earlier_count of them. 0 or -errno: then nothing was noted.
 */
int beside_find(struct beside *beside, int runs_dir_fd, const char *directory, const char *name,
                const struct beside_files *files, struct beside_parts *ret_parts);

/* The followed file, which is at its path and has changed. */
struct beside_file {
	const char *path;
	int fd;                       /* borrowed */
	struct stat stat;             /* as it is now, from before the directory is listed */
	int64_t begun_ms;             /* since the epoch: since when its content was followed */
	struct beside_known known;
	bool is_other;                /* what was read of it is not there any more; set as well where a
	                               * copy tells so */
};

/*
 * Finds what the file held since it was looked at last, and does not hold any more: new copies, of
 * nothing that is known, made since the file was begun to be followed. -ESTALE: it is not at its path
 * any more, and nothing was noted; else as beside_find().
 */
int beside_find_copies(struct beside *beside, int runs_dir_fd, const char *directory, const char *name,
                       struct beside_file *file, struct beside_parts *ret_parts);

#endif
