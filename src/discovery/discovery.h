/*
 * The discovery process: finds runs beneath the runs directory and keeps the registry.
 *
 * Each discovery_interval_ms, and sooner when its bell is rung, it looks: at the folders that
 * may have changed since they were listed, at the run-info of runs that are not over, and at a
 * few of those that are, so that all have their turn in some minutes. inotify makes it quicker
 * where it works; what it tells is a hint, and a folder's time of modification the truth.
 *
 * Names that begin with a dot, and those that run_id_valid() refuses, are not looked at. The name
 * of a run's folder is its id.
 */
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include "shm/instance.h"

/*
 * Runs until the supervisor is gone, or SIGTERM; returns the exit status. Borrows instance, but
 * for its settings, which new ones that come over supervisor_fd take the place of.
 */
int discovery_main(struct instance *instance);

#endif
