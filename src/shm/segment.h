/*
 * A segment of shared memory: a memfd that cannot change its size any more (F_SEAL_SHRINK,
 * F_SEAL_GROW: memfd_create(2), fcntl(2)), so that who maps it can never be thrown off its end.
 * It begins with a magic and a layout version, which are checked before anything else is read.
 *
 * Its memory is given page by page. A page that is touched first where memory has run out kills
 * the process (SIGBUS); therefore writers reserve before they touch, and readers touch only what
 * writers say is reserved.
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEGMENT_MAGIC_BYTES = 8, SEGMENT_PAGE_BYTES = 4096 };

/* The first bytes of every segment. */
struct segment_prefix {
	char magic[SEGMENT_MAGIC_BYTES];
	uint32_t version;
	uint32_t padding;
};
static_assert(sizeof(struct segment_prefix) == 16, "layout");

/* Makes a sealed segment of that size, whose pages are all holes. Returns the fd or -errno. */
int segment_create(const char *name, uint64_t bytes);

/* Gives memory to a range, which keeps what it holds. 0 or -errno: -ENOSPC, -ENOMEM when full. */
int segment_reserve(int fd, uint64_t offset, uint64_t bytes);

/*
 * Writes the header of a new segment, a struct that begins with a prefix, and reserves its pages.
 * The rest of the segment reads as zeros. 0 or -errno.
 */
int segment_begin(int fd, const char magic[static SEGMENT_MAGIC_BYTES], uint32_t version,
                  void *header, size_t header_bytes);

/*
 * Maps all of it (borrows fd). -EPROTO: too small, not sealed, or another magic;
 * -EPROTONOSUPPORT: another layout version; other -errno. munmap(2) undoes it.
 */
int segment_map(int fd, bool writable, const char magic[static SEGMENT_MAGIC_BYTES],
                uint32_t version, size_t at_least_bytes, void **ret_memory, size_t *ret_bytes);

#endif
