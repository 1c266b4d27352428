#include "worker/troubles.h"

#include <errno.h>
#include <stdlib.h>

#include "base/episode.h"
#include "stream/trail.h"
#include "worker/worker_state.h"

struct troubles {
	struct episode accept, looks, reads, inotify, overflows, helpers, trail;
	int accept_error;
};

struct troubles *
troubles_new(void)
{
	return calloc(1, sizeof(struct troubles));
}

void
troubles_free(struct troubles **troubles)
{
	free(*troubles);
	*troubles = NULL;
}

void
troubles_accept_failed(struct worker *worker, int error)
{
	peers_counters(worker->peers)->faults[COUNTERS_FAULT_ACCEPT]++;
	worker->troubles->accept_error = error;
	troubles_refresh(worker);
}

void
troubles_refresh(struct worker *worker)
{
	struct troubles *t = worker->troubles;
	struct followers_figures figures = followers_figures(worker->hub->followers);
	struct trail_figures trail = trail_figures(worker->hub->trail);
	uint64_t *faults = peers_counters(worker->peers)->faults;

	faults[COUNTERS_FAULT_LOOK] = figures.looks_failed;
	faults[COUNTERS_FAULT_READ] = worker->hub->reads_failed;
	faults[COUNTERS_FAULT_INOTIFY] = figures.inotify_refused;
	faults[COUNTERS_FAULT_OVERFLOW] = figures.inotify_overflows;
	faults[COUNTERS_FAULT_STUCK] += offload_stuck(worker->offload) > 0;
	faults[COUNTERS_FAULT_TRAIL] = trail.failures;
	episode_tell(&t->accept, faults[COUNTERS_FAULT_ACCEPT], "accept_failed", t->accept_error,
	             "those who come wait, or are sent to another worker");
	episode_tell(&t->looks, faults[COUNTERS_FAULT_LOOK], "file_unreachable", figures.look_error,
	             "what cannot be looked at or opened is tried again at each look");
	episode_tell(&t->reads, faults[COUNTERS_FAULT_READ], "read_failed", worker->hub->read_error,
	             "what cannot be read is tried again after a look");
	episode_tell(&t->inotify, faults[COUNTERS_FAULT_INOTIFY], "inotify_refused",
	             figures.inotify_error,
	             "files are polled until it can be had: see fs.inotify.max_user_watches and "
	             "max_user_instances");
	episode_tell(&t->overflows, faults[COUNTERS_FAULT_OVERFLOW], "inotify_overflow", EOVERFLOW,
	             "all that is followed is looked at");
	episode_tell(&t->helpers, faults[COUNTERS_FAULT_STUCK], "helpers_stuck", ETIMEDOUT,
	             "what lies on that file system is delayed; others take the place of the threads "
	             "that wait");
	episode_tell(&t->trail, faults[COUNTERS_FAULT_TRAIL], "trail_failed", -trail.error,
	             "who comes back to a stream of many runs may be given lines again; see "
	             "server.state_dir");
}
