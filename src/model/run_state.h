/*
 * The state of a recorded run: what its events say when they are read from the first on. A unit is
 * in one state at a time, by its name: the last that was said of it. Of events that name no unit,
 * and of units beyond RUN_STATE_UNITS, only numbers are kept.
 *
 *   run.started, run.resumed               the run is running
 *   run.completed, run.failed, run.cancelled, run.crashed, run.stopped
 *                                          it has ended: as its member status says, or so
 *   unit.started, unit.retried             the unit is running
 *   unit.completed, unit.failed, unit.blocked, unit.skipped, unit.cancelled
 *                                          it is that
 *   unit.unblocked, unit.queued            it is none of these
 *
 * Events run.* may have numbers (total_units, completed_units, failed_units, blocked_units,
 * parallelism, exit_code), which hold from then on, and an error. Whatever else there is passes.
 */
#ifndef MODEL_RUN_STATE_H
#define MODEL_RUN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event.h"

enum { RUN_STATE_UNITS = 100000 };

struct run_state;

/* Returns owned, or NULL without memory. */
struct run_state *run_state_new(void);
void run_state_free(struct run_state **state);

/*
 * Takes the next line in, without its newline. 0; -EBADMSG: it is no event, and only counted;
 * -ENOMEM: nothing changed.
 */
int run_state_add(struct run_state *state, const char *line, size_t length);

/* The number of lines that were taken in. */
uint64_t run_state_seq(const struct run_state *state);
/* Of those, the ones that were no events. */
uint64_t run_state_malformed(const struct run_state *state);

/* Of those, the ones that had something to say here. */
uint64_t run_state_changes(const struct run_state *state);

/* What the events say the run is ("running", "completed", …), or NULL if they do not. Borrowed. */
const char *run_state_status(const struct run_state *state);

/*
 * Appends the state as a JSON object, or as an event. status: who knows better (run-info.yaml is
 * the authority), or NULL: as recorded, else "unknown". What is not known is left out.
 */
void run_state_put(struct buf *to, const struct run_state *state, const char *run_id,
                   const char *status);
void run_state_put_event(struct buf *to, const struct event_id *id, const struct run_state *state,
                         const char *run_id, const char *status);

#endif
