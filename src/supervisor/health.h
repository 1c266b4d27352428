/*
 * Whether the children are well: each tells about once a second that its loop turns
 * (shm/pulse.h), the first time when it has set up all that it needs.
 */
#ifndef SUPERVISOR_HEALTH_H
#define SUPERVISOR_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/pool.h"

/* Listens to a child that was just started. 0 or -errno: then it will be taken for silent. */
int health_watch(struct pool *pool, struct child *child);
/* Before child_forget(). */
void health_unwatch(struct pool *pool, struct child *child);

/* Every child that there is to be has been heard of. */
bool health_all_are_up(const struct pool *pool);

/* For how long a child that runs has been silent; 0 of one that does not run. */
int64_t health_silent_ms(const struct child *child);

#endif
