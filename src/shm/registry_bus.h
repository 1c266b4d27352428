/*
 * Message buses in a registry of their own, which is made, read and written as that of runs is.
 * Of an entry, run_id is bus_id_make() of the names; project_id and path_project are the
 * project's, task_id and path_task the task's, "" for the project's own bus; status is "";
 * is_deleted says that the folder is gone. (The file in it may be missing for a moment, between
 * its rotation and the next message.)
 */
#ifndef SHM_REGISTRY_BUS_H
#define SHM_REGISTRY_BUS_H

#include "shm/registry.h"

enum { REGISTRY_BUS_PATH_BYTES = 2 * (REGISTRY_NAME_BYTES + 1) }; /* with its NUL */

/* An entry for the bus of a project (task "") or a task; both are at most REGISTRY_NAME_BYTES.
 * first_seen_ms is left at 0. */
void registry_bus_init(struct registry_run *ret_bus, const char *project, const char *task);

/* Finds a bus by its names, as registry_find() a run. */
int registry_bus_find(const struct registry *buses, const char *project, const char *task,
                      struct registry_run *ret_bus);

/* Writes the path of its folder beneath the runs directory, <project> or <project>/<task>;
 * returns its length. capacity >= REGISTRY_BUS_PATH_BYTES. */
size_t registry_bus_path(const struct registry_run *bus, char *ret_path, size_t capacity);

#endif
