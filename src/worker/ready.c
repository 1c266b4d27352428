#include "worker/ready.h"

#include <stddef.h>

static const struct ready_reason
	draining = { "draining", "the worker is ending" },
	first_look = { "first_look", "the runs directory has not been looked at yet" },
	runs_dir_missing = { "runs_dir_missing", "the runs directory is not there" },
	discovery_stale = { "discovery_stale", "the runs directory has not been looked at for long" };

const struct ready_reason *
ready_find_reason(const struct ready_facts *facts)
{
	int64_t stale_ms = facts->discovery_interval_ms * READY_STALE_INTERVALS;

	if (stale_ms < READY_STALE_MS)
		stale_ms = READY_STALE_MS;
	if (facts->is_draining)
		return &draining;
	if (facts->looks_finished == 0)
		return &first_look;
	if (facts->runs_dir_is_missing)
		return &runs_dir_missing;
	if (facts->discovery_lives && facts->last_look_age_ms > stale_ms)
		return &discovery_stale;
	return NULL;
}
