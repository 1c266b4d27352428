/*
 * The state directory: the segments of all trails (model/trail.h) of an instance, one file each,
 * named by its trail and the tick that it begins with. Whoever writes a trail adds segments to it,
 * discovery takes away what is too old or too much.
 */
#ifndef STORE_TRAIL_DIR_H
#define STORE_TRAIL_DIR_H

#include <stdint.h>

/* Makes the file of a segment, to be appended to. The fd (returns owned, CLOEXEC) or -errno. */
int trail_dir_create(int dir_fd, uint64_t trail, uint64_t first_tick);

/*
 * Opens the segment in which a tick of a trail is, or would be. 0 and an fd (returns owned), and the tick
 * by which it is named; -ENOENT: there is none (any more); other -errno: there is one by that tick, but
 * it cannot be opened, or is no file. One that is before it says less, but nothing wrong.
 */
int trail_dir_open(int dir_fd, uint64_t trail, uint64_t tick, uint64_t *ret_first_tick, int *ret_fd);

struct trail_dir_limits {
	int64_t wall_ms;      /* now */
	int64_t retention_s;  /* what was not written to for longer goes */
	uint64_t most_bytes;  /* of all segments */
};

struct trail_dir_pruned {
	uint32_t shortened, removed, left;
	uint64_t left_bytes;
};

/*
 * Removes what is older than the retention. Where the rest is more than most_bytes, the oldest
 * segments that are not written to any more are shortened to their first batch, so that clients
 * still find their way from there; and only where that is not enough are the oldest removed. Files
 * with other names are left alone. 0 or -errno.
 */
int trail_dir_prune(int dir_fd, const struct trail_dir_limits *limits,
                    struct trail_dir_pruned *ret_pruned);

#endif
