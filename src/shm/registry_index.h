/*
 * The writer's part of the index of runs by id: open addressing with linear probing, in atomic
 * buckets of 8 bytes. Where too many buckets are in use, or were, it is built anew in the other
 * of two areas and then made the valid one with a single store. Internal to shm.
 */
#ifndef SHM_REGISTRY_INDEX_H
#define SHM_REGISTRY_INDEX_H

#include "shm/counters.h"
#include <stddef.h>
#include <stdint.h>

#include "shm/registry_map.h"
#include "shm/registry_writer.h"

struct registry_writer {
	struct registry registry;
	int fd;
	uint64_t index_live;    /* buckets in use */
	uint64_t index_removed; /* buckets that were */
	uint32_t deleted;       /* runs marked as deleted */
	uint64_t look;          /* that goes on: looks_begun when it began */
	uint64_t live[COUNTERS_STATUSES]; /* the others, by status */
	/* Slots of deleted runs to use again, found when no fresh slot was left. */
	uint32_t *reusable;
	size_t reusable_count, reusable_capacity;
};

/* One more, or less, of what the run is. */
void registry_index_count(struct registry_writer *writer, const struct registry_run *run, int by);

/* Has room for one more id. 0, or -errno of reserving memory. */
int registry_index_make_room(struct registry_writer *writer);

/* Adds an id that is not there, for which room was made. */
void registry_index_add(struct registry_writer *writer, const char *run_id, uint32_t slot);
void registry_index_remove(struct registry_writer *writer, const char *run_id, uint32_t slot);

/* Builds it anew from the slots, with room for one more than live; counts the runs, too.
 * 0, or -errno of reserving memory: the old one is valid then. */
int registry_index_rebuild(struct registry_writer *writer, uint64_t live);

#endif
