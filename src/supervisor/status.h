/* The answer to "status" (shm/control.h). */
#ifndef SUPERVISOR_STATUS_H
#define SUPERVISOR_STATUS_H

#include <stdint.h>

#include "supervisor/control.h"
#include "supervisor/pool.h"

/* Adds what is known of the instance, and read-only descriptors of its shared memory. */
void status_fill(const struct pool *pool, int64_t started_ms, struct control_answer *answer);

#endif
