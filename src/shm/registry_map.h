/* A mapped registry, as its reader and its writer share it. Internal to shm. */
#ifndef SHM_REGISTRY_MAP_H
#define SHM_REGISTRY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/registry_layout.h"

/* What is fixed was copied and checked when it was mapped: it is not read from there again. */
struct registry {
	void *memory;
	size_t bytes;
	struct registry_header *header;
	uint32_t *ring;
	struct registry_slot *slots;
	uint64_t *index[2];
	unsigned char *text;
	uint64_t text_bytes;
	uint64_t hash_seed;
	uint32_t capacity;
	uint32_t index_log2_max;
};

/* An index, from the header's word. */
struct registry_index {
	uint64_t word;
	uint64_t *buckets;
	uint64_t mask; /* number of buckets - 1 */
};

int registry_map(int fd, bool writable, struct registry *ret_registry);
void registry_unmap(struct registry *registry);

uint64_t registry_hash(const struct registry *registry, const char *run_id, size_t length);

/* The index that is valid now. False if its word is damaged. */
bool registry_index_now(const struct registry *registry, struct registry_index *ret_index);

static inline uint64_t
registry_bucket(uint64_t hash, uint32_t slot)
{
	return (hash & UINT64_C(0xffffffff00000000)) | ((uint64_t)slot + 1);
}

#endif
