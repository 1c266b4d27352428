#include "shm/occupancy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "shm/registry_layout.h"
#include "shm/segment.h"

#define OCCUPANCY_MAGIC "RSoccup\n"

enum {
	LAYOUT_VERSION = 1,
	CHUNK_RUNS = SEGMENT_PAGE_BYTES / sizeof(uint32_t),
	CHUNKS_MAX = (REGISTRY_CAPACITY_MAX + CHUNK_RUNS - 1) / CHUNK_RUNS,
	WORDS = (CHUNKS_MAX + 63) / 64,
};

/* The first page. The counts follow, a page (chunk) of them reserved when one is first needed:
 * its bit says that it may be touched. */
struct header {
	struct segment_prefix prefix;
	uint32_t capacity;
	uint32_t total; /* atomic */
	uint8_t padding[40];
	uint64_t reserved[WORDS]; /* atomic; a bit a chunk */
};
static_assert(offsetof(struct header, reserved) == 64, "layout");
static_assert(sizeof(struct header) <= SEGMENT_PAGE_BYTES, "layout");

struct occupancy {
	struct header *header;
	uint32_t *counts; /* atomic */
	size_t bytes;
	int fd;
	uint32_t capacity;
};

int
occupancy_create(uint32_t run_capacity)
{
	struct header header = { .capacity = run_capacity };
	uint64_t chunks = ((uint64_t)run_capacity + CHUNK_RUNS - 1) / CHUNK_RUNS;
	int fd, error;

	if (run_capacity == 0 || run_capacity > REGISTRY_CAPACITY_MAX)
		return -EINVAL;
	fd = segment_create("runstream-occupancy", (1 + chunks) * SEGMENT_PAGE_BYTES);
	if (fd < 0)
		return fd;
	error = segment_begin(fd, OCCUPANCY_MAGIC, LAYOUT_VERSION, &header, sizeof(header));
	if (error) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

int
occupancy_open(int fd, bool writable, struct occupancy **ret_occupancy)
{
	struct occupancy *occupancy = calloc(1, sizeof(*occupancy));
	void *memory;
	int error;

	if (!occupancy)
		return -ENOMEM;
	error = segment_map(fd, writable, OCCUPANCY_MAGIC, LAYOUT_VERSION, SEGMENT_PAGE_BYTES,
	                    &memory, &occupancy->bytes);
	if (error) {
		free(occupancy);
		return error;
	}
	occupancy->fd = fd;
	occupancy->header = memory;
	occupancy->counts = (void *)((char *)memory + SEGMENT_PAGE_BYTES);
	occupancy->capacity = occupancy->header->capacity;
	if (occupancy->capacity > (occupancy->bytes - SEGMENT_PAGE_BYTES) / sizeof(uint32_t) ||
	    occupancy->capacity > REGISTRY_CAPACITY_MAX) {
		occupancy_close(&occupancy);
		return -EPROTO;
	}
	*ret_occupancy = occupancy;
	return 0;
}

void
occupancy_close(struct occupancy **occupancy)
{
	if (!*occupancy)
		return;
	munmap((*occupancy)->header, (*occupancy)->bytes);
	free(*occupancy);
	*occupancy = NULL;
}

static bool
is_reserved(const struct occupancy *occupancy, uint32_t chunk)
{
	return __atomic_load_n(&occupancy->header->reserved[chunk / 64], __ATOMIC_ACQUIRE) >>
	       (chunk % 64) & 1;
}

static bool
reserve(struct occupancy *occupancy, uint32_t chunk)
{
	uint64_t *word = &occupancy->header->reserved[chunk / 64];

	if (is_reserved(occupancy, chunk))
		return true;
	if (segment_reserve(occupancy->fd, (chunk + UINT64_C(1)) * SEGMENT_PAGE_BYTES,
	                    SEGMENT_PAGE_BYTES) != 0)
		return false;
	__atomic_store_n(word, *word | UINT64_C(1) << (chunk % 64), __ATOMIC_RELEASE);
	return true;
}

uint32_t
occupancy_of_run(const struct occupancy *occupancy, uint32_t slot)
{
	if (slot >= occupancy->capacity || !is_reserved(occupancy, slot / CHUNK_RUNS))
		return 0;
	return __atomic_load_n(&occupancy->counts[slot], __ATOMIC_RELAXED);
}

uint32_t
occupancy_total(const struct occupancy *occupancy)
{
	return __atomic_load_n(&occupancy->header->total, __ATOMIC_RELAXED);
}

static void
change(uint32_t *count, int by)
{
	if (by > 0)
		__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	else if (*count > 0)
		__atomic_store_n(count, *count - 1, __ATOMIC_RELAXED);
}

void
occupancy_change(struct occupancy *occupancy, uint32_t slot, int by)
{
	change(&occupancy->header->total, by);
	if (slot < occupancy->capacity && reserve(occupancy, slot / CHUNK_RUNS))
		change(&occupancy->counts[slot], by);
}

void
occupancy_reset(struct occupancy *occupancy)
{
	for (uint32_t slot = 0; slot < occupancy->capacity;) {
		if (!is_reserved(occupancy, slot / CHUNK_RUNS)) {
			slot += CHUNK_RUNS;
			continue;
		}
		for (uint32_t i = 0; i < CHUNK_RUNS && slot < occupancy->capacity; i++, slot++)
			__atomic_store_n(&occupancy->counts[slot], 0, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&occupancy->header->total, 0, __ATOMIC_RELAXED);
}
