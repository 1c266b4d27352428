/*
 * The registry's one writer: discovery. (That there is one is the supervisor's care.) What is
 * written can be read at once; a writer killed at any instruction leaves every run as it was
 * or as it was to be, and the next one that opens the registry mends the rest.
 */
#ifndef SHM_REGISTRY_WRITER_H
#define SHM_REGISTRY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/registry.h"

struct registry_writer;

/* Makes an empty segment for max_runs runs (1 to 16,000,000), reserved sparsely. The fd, owned
 * by the caller, or -errno. */
int registry_create(uint32_t max_runs);

/*
 * Maps it for writing (borrows fd, which must stay open) and mends what a killed writer left:
 * the index is built anew, and readers of the change feed are sent -EOVERFLOW. Errors as
 * registry_open(), and -ENOSPC. Returns owned.
 */
int registry_writer_open(int fd, struct registry_writer **ret_writer);
void registry_writer_close(struct registry_writer **writer);

/* To read with; lives as long as the writer. */
const struct registry *registry_writer_view(const struct registry_writer *writer);

/* How many runs are not deleted, for each of counters_set_statuses. Borrowed; it goes with changes. */
const uint64_t *registry_writer_live(const struct registry_writer *writer);

/*
 * Makes the run with run->run_id be as in *run, whose slot, version and went_on_at are ignored: adds it,
 * or changes what differs. *ret_changed tells whether anything did; both outputs may be NULL.
 * -EINVAL: no run id; -ENOSPC: as many live runs as fit, or memory is full.
 */
int registry_writer_put(struct registry_writer *writer, const struct registry_run *run,
                        uint32_t *ret_slot, bool *ret_changed);

/* Whether there is one that is not deleted. */
bool registry_writer_has_runs(const struct registry_writer *writer);

/* Marks a run as deleted; put() with is_deleted false brings it back. -ENOENT: no such slot. */
int registry_writer_mark_deleted(struct registry_writer *writer, uint32_t slot);

/* Every change that was written before finish() of a look is seen by who sees it finished. */
void registry_writer_look_begin(struct registry_writer *writer);
void registry_writer_look_finish(struct registry_writer *writer);
/* Before it is finished: nothing was left out, so what it did not find is not there. */
void registry_writer_look_was_whole(struct registry_writer *writer);
/* Likewise: whether runs were found for which there is no room. */
void registry_writer_look_was_full(struct registry_writer *writer, bool is_full);
/* The run in a slot is to be looked at, or was: in between, what is said of it is no answer to who asked. */
void registry_writer_leave_out(struct registry_writer *writer, uint32_t slot, bool is_left_out);
/* During a look: what was asked of an earlier writer may never have been heard. */
void registry_writer_take_over(struct registry_writer *writer);

#endif
