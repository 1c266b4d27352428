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

#include "follow/file_system.h"

/* Embedded, zero-initialised. */
struct beside {
	bool is_listed;
	struct timespec changed; /* the directory, when it was listed */
	struct timespec newest;  /* when something of what was there was last written to */
	size_t count;
	uint32_t *identities;    /* owned: of what was there */
};

void beside_fini(struct beside *beside);

/* A file that is open already. */
struct beside_open {
	int fd; /* borrowed */
	struct stat stat;
};

struct beside_part {
	int fd; /* owned */
	struct stat stat;
	const char *lost; /* why something between it and what came before is lost; NULL: nothing is */
};

struct beside_parts {
	size_t count;
	struct beside_part *list; /* owned: the oldest first */
	const char *lost;         /* the same, behind the last */
	enum file_system file_system;
};

void beside_parts_fini(struct beside_parts *parts);
/* What was found is not taken: it is to be found again. */
void beside_forget(struct beside *beside, const struct beside_parts *parts);

/* Whether a file was there when it was listed. */
bool beside_is_noted(const struct beside *beside, uint32_t identity);

/* Notes what lies there. 0 or -errno: then it is tried again, at the next look. */
int beside_note(struct beside *beside, int runs_dir_fd, const char *directory, const char *name);

/* Whether the directory may have changed since it was listed. */
bool beside_has_changed(const struct beside *beside, const struct stat *directory);

/*
 * Finds what is new there, and neither one of the open files nor a copy of one, and is later than
 * each of the last earlier_count of them. 0 or -errno: then nothing was noted.
 */
int beside_find(struct beside *beside, int runs_dir_fd, const char *directory, const char *name,
                const struct beside_open *open, size_t open_count, size_t earlier_count,
                struct beside_parts *ret_parts);

#endif
