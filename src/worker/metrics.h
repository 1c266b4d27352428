/*
 * GET /metrics: the figures of the whole instance, in Prometheus' text exposition format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Any worker tells those of all.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include <stdbool.h>

#include "base/buf.h"
#include "shm/registry.h"
#include "worker/peers.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Appends all of them, as shm/counters_list.h names them: each with a sample for each worker that is
 * alive, or of discovery, or the supervisor, as it is theirs to count. What a dead worker counted
 * is gone with it: the next one begins at zero, which Prometheus knows how to take. 0 or -ENOMEM.
 */
int metrics_put(struct buf *to, const struct peers *peers, const struct registry *runs,
                 const struct registry *buses);

/* Appends text as a help line or (is_label) the value of a label has it: backslashes and line
 * feeds escaped, in a label quotes as well. */
void metrics_put_escaped(struct buf *to, const char *text, bool is_label);

#endif
