/*
 * The worker's descriptor of the runs directory. It is looked at once in each discovery_interval_ms,
 * by its path and in a helper thread: when another directory is there (made anew, mounted over it,
 * come late), the descriptor leads to that one from then on, and keeps its number, so that whoever
 * holds the number need not be told.
 */
#ifndef WORKER_RUNS_ROOT_H
#define WORKER_RUNS_ROOT_H

#include "base/loop.h"
#include "base/offload.h"
#include "conf/settings.h"

struct runs_root;

/* Called after the descriptor has come to lead elsewhere. */
typedef void runs_root_changed_fn(void *arg);

/* Borrows all; settings may change in place. fd: what the supervisor opened, -1: it was missing.
 * 0 or -errno; returns owned. */
int runs_root_new(struct loop *loop, struct offload *offload, const struct settings *settings, int fd,
                  runs_root_changed_fn *fn, void *arg, struct runs_root **ret_root);
/* When the helpers have ended. */
void runs_root_free(struct runs_root **root);

/* For as long as it lives. Where the directory is missing, nothing is found beneath it. */
int runs_root_fd(const struct runs_root *root);

#endif
