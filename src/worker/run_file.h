/*
 * Which file of a run is meant by a name: stdout, stderr, prompt or output.md. Where its
 * run-info.yaml names a path beneath the runs directory, that one; else the one in its folder.
 */
#ifndef WORKER_RUN_FILE_H
#define WORKER_RUN_FILE_H

#include "shm/registry.h"
#include "worker/run_wait.h"

struct connection;

/* Reads a name of the API. 0, or -EINVAL. */
int run_file_parse(const char *name, enum run_file *ret_file);

/* Finds the file of the query, and answers with its stream. Copies both. */
void run_file_answer(struct connection *c, const struct run_query *query,
                     const struct registry_run *run);

#endif
