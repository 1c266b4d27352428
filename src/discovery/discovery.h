/*
 * The discovery process: finds runs and message buses beneath the runs directory, and keeps the
 * registries of both.
 *
 * Each discovery_interval_ms, and sooner when its bell is rung, it looks: at the folders that
 * may have changed since they were listed, at the run-info of runs that are not over, and at a
 * few of those that are, so that all have their turn in some minutes. inotify makes it quicker
 * where it works; what it tells is a hint, and a folder's time of modification the truth.
 *
 * A project's bus is seen when its folder is listed. A task's own folder is not listed, since
 * anything may be in it: its bus is asked for by name at each look, unless it is known or the
 * folder is watched. Looks are counted in the registry of runs, for buses as well.
 *
 * Names that begin with a dot, and those that run_id_valid() refuses, are not looked at. The name
 * of a run's folder is its id. A folder in the root that was a run's from the beginning is no
 * project's.
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
