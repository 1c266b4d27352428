/* The figures of an instance (shm/counters_list.h), as `runstreamctl status` shows them. */
#ifndef ADMIN_STATUS_COUNTERS_H
#define ADMIN_STATUS_COUNTERS_H

#include "admin/output.h"
#include "admin/view.h"

/* Text: a row for each number, with the sum (or the highest) and a column for each worker; and a
 * row for each histogram. */
void status_counters_put_tables(struct output *output, const struct view *view);

/* JSON: an object, by name. Of a worker (from 0) that is alive: what it counts. */
void status_counters_put_worker(struct output *output, const struct view *view, uint32_t worker);
/* Of all processes together. */
void status_counters_put_all(struct output *output, const struct view *view);

#endif
