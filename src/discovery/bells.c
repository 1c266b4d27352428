/* Who is told that something changed. */
#include <sys/eventfd.h>

#include "base/clock.h"
#include "discovery/state.h"

enum { RING_GAP_MS = 20 }; /* while a long look goes on */

bool
bells_are_due(const struct discovery *d)
{
	return registry_changes_now(d->registry) != d->changes_rung ||
	       registry_changes_now(d->buses) != d->bus_changes_rung;
}

void
bells_ring(struct discovery *d, bool forced)
{
	int64_t now_ms;

	if (!forced && !bells_are_due(d))
		return;
	now_ms = clock_now_ms();
	if (!forced && now_ms - d->last_ring_ms < RING_GAP_MS)
		return; /* the end of the look or of the turn rings */
	d->changes_rung = registry_changes_now(d->registry);
	d->bus_changes_rung = registry_changes_now(d->buses);
	d->last_ring_ms = now_ms;
	for (int i = 0; i < INSTANCE_WORKERS_MAX; i++)
		if (d->instance->worker_bell_fds[i] >= 0)
			eventfd_write(d->instance->worker_bell_fds[i], 1);
}
