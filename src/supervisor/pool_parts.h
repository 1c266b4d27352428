/* What the files of the pool share: pool.c (lives of the children), pool_sockets.c (who accepts on
 * which socket) and pool_replace.c (which workers there are to be). */
#ifndef SUPERVISOR_POOL_PARTS_H
#define SUPERVISOR_POOL_PARTS_H

#include "supervisor/pool.h"

/* Whether it is to be: discovery always, and as many workers as the settings say. */
bool pool_wants(const struct pool *pool, const struct child *child);

/* Starts a child (as a loop_timer_fn), or, where that fails, tries again later. */
void pool_start_or_wait(void *child);

/* Assigns the sockets to those who accept now, and tells them. With nobody left, who connects
 * waits. */
void pool_assign_sockets(struct pool *pool);
/* The same, after a change of one of them. */
void pool_set_accepts(struct pool *pool, struct child *child, bool accepts);

/* Drains the next of those that are to be replaced, if all others are there to take its clients:
 * to be called when a child was started or has ended. */
void pool_drain_next(struct pool *pool);

#endif
