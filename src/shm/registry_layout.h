/*
 * The bytes of the registry's segment; nothing but its writer, its reader and their tests
 * include this. All numbers are of the machine's own byte order: the segment never leaves it.
 *
 *   header | change ring | slots | index areas 0 and 1 | texts
 *
 * Each begins at a page. Sizes are those for the configured maximum; memory is given to slots
 * and texts in chunks as they fill up, to an index area when it is built.
 *
 * How a slot changes: it has two copies of its state. The sequence says by its lowest bit which
 * one is valid; the writer fills the other and then stores the next sequence. A writer killed
 * anywhere leaves the valid copy as it was. A reader that finds the same sequence before and
 * after copying has copied something consistent, since the writer comes back to a copy only
 * after it has stored the next sequence.
 */
#ifndef SHM_REGISTRY_LAYOUT_H
#define SHM_REGISTRY_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/registry.h"
#include "shm/segment.h"

#define REGISTRY_MAGIC "RSruns\r\n"

enum {
	REGISTRY_LAYOUT_VERSION = 4,
	REGISTRY_CAPACITY_MAX = 16000000,
	REGISTRY_RING_ENTRIES = 65536,  /* a power of two */
	REGISTRY_INDEX_LOG2_MIN = 10,   /* buckets of the smallest index */
	REGISTRY_CHUNK_BYTES = 262144,  /* memory is reserved in steps of this */
	REGISTRY_TEXT_UNIT_BYTES = 16,  /* text blocks begin and end at multiples of this */
	REGISTRY_TEXT_MOST_BYTES = 640, /* five names of REGISTRY_NAME_BYTES */
	/* The most that the text blocks of one slot can take: see REGISTRY_SLOT's blocks. */
	REGISTRY_TEXT_SLOT_BYTES = 2 * 2 * REGISTRY_TEXT_MOST_BYTES,
	REGISTRY_TEXTS = 5,
	REGISTRY_LOOKS_BITS = 32,
};
static_assert(REGISTRY_TEXT_MOST_BYTES == REGISTRY_TEXTS * REGISTRY_NAME_BYTES, "layout");
static_assert(REGISTRY_TEXT_MOST_BYTES % REGISTRY_TEXT_UNIT_BYTES == 0, "layout");

struct registry_header {
	struct segment_prefix prefix;
	/* Fixed when the segment is made. */
	uint64_t hash_seed;
	uint64_t total_bytes;
	uint64_t ring_offset;
	uint64_t slots_offset;
	uint64_t index_offset[2];
	uint64_t text_offset;
	uint64_t text_bytes;
	uint32_t capacity;
	uint32_t index_log2_max; /* buckets that an index area has room for */
	uint8_t padding0[40];
	/* Read by all, written by the writer; changes and looks apart from what look-ups read. */
	uint64_t index;       /* atomic: generation << 8 | area << 7 | log2 of its buckets */
	uint32_t slot_count;  /* atomic: slots below it may be read */
	uint32_t is_full;     /* atomic; 1: there are runs for which there was no room */
	uint8_t padding2[48];
	uint64_t changes;     /* atomic: entries ever put in the ring */
	/* The higher bits grow when another discovery takes over, REGISTRY_LOOKS_BITS with each look. */
	uint64_t looks_begun;    /* atomic */
	uint64_t looks_finished; /* atomic */
	uint64_t looks_whole;    /* atomic: looks_begun as the last one began that left nothing out */
	uint8_t padding3[32];
	/* The writer's own, kept here for the next writer. */
	uint64_t slots_reserved_bytes;
	uint64_t text_reserved_bytes;
	uint64_t text_used_bytes; /* atomic: readers look at nothing above it */
	uint8_t padding4[40];
};
static_assert(offsetof(struct registry_header, index) == 128, "layout");
static_assert(offsetof(struct registry_header, changes) == 192, "layout");
static_assert(offsetof(struct registry_header, slots_reserved_bytes) == 256, "layout");
static_assert(sizeof(struct registry_header) == 320, "layout");

enum { REGISTRY_IS_TERMINAL = 1, REGISTRY_IS_DELETED = 2, REGISTRY_HAS_ENDING = 4,
       REGISTRY_ENDED_AGAIN = 8 };

struct registry_state {
	uint32_t text; /* its text block, in units: run id, project, task, path names, one after another */
	int32_t exit_code;
	uint8_t text_length[REGISTRY_TEXTS];
	uint8_t status_length;
	uint8_t flags;
	uint8_t padding;
	int64_t start_time_ms;
	int64_t end_time_ms;
	int64_t first_seen_ms;
	char status[REGISTRY_STATUS_BYTES + 1];
	uint64_t ending_bytes[REGISTRY_FILES];
	uint64_t ending_fingerprint[REGISTRY_FILES];
	uint32_t ending_identity[REGISTRY_FILES];
	uint32_t ending_written_s;
};
static_assert(sizeof(struct registry_state) == 136, "layout");

/*
 * A slot owns at most two text blocks, so that one can be filled while the other is read: texts
 * that change for ever take no more memory. A block that is too small is left behind for one
 * that holds anything, hence at most two small and two of the full size in a slot's life.
 */
struct registry_slot {
	uint32_t sequence; /* atomic; 0: never used; its lowest bit: the valid copy */
	uint32_t is_left_out; /* atomic; 1: somebody asked about it, and it could not be looked at since */
	struct {
		uint32_t at;    /* in units */
		uint32_t units; /* 0: no block yet */
	} block[2];
	struct registry_state copy[2];
	/* Atomic. Beside the copies: it is stored before the state that it belongs to, and means
	 * nothing to who reads the one before, which is that of a run that is over. */
	uint64_t went_on_at;
};
static_assert(offsetof(struct registry_slot, copy) == 24, "layout");
static_assert(sizeof(struct registry_slot) == 304, "layout");

/* A bucket of the index: upper half of the id's hash << 32 | slot + 1. */
#define REGISTRY_BUCKET_EMPTY UINT64_C(0)
#define REGISTRY_BUCKET_REMOVED UINT64_C(0xffffffff)
static_assert(REGISTRY_CAPACITY_MAX < UINT32_MAX - 1, "slot + 1 is never the mark of a removed one");

#endif
