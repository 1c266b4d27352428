/* Trails of streams of many runs that are too old, or too much, are taken away (store/trail_dir.h). */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/state.h"
#include "store/trail_dir.h"

enum { PRUNE_MS = 60 * 1000 };

static void
prune(void *arg)
{
	struct discovery *d = arg;
	const struct settings *settings = &d->instance->settings;
	struct trail_dir_limits limits = {
		.wall_ms = clock_wall_ms(),
		.retention_s = settings->api.sse.resume_retention_s,
		.most_bytes = (uint64_t)settings->api.sse.resume_most_bytes,
	};
	struct trail_dir_pruned pruned = { 0 };
	int error = trail_dir_prune(d->instance->state_dir_fd, &limits, &pruned);

	if (error != d->prune_error && error)
		log_error("state_dir_failed", "error=\"%s\"", strerror(-error));
	else if (pruned.shortened > 0 || pruned.removed > 0)
		log_debug("trails_pruned", "shortened=%u removed=%u left=%u left_bytes=%ju",
		          pruned.shortened, pruned.removed, pruned.left, (uintmax_t)pruned.left_bytes);
	d->prune_error = error;
	loop_timer_set(d->loop, &d->prune_timer, PRUNE_MS, prune, d);
}

void
trails_start(struct discovery *d)
{
	if (d->instance->state_dir_fd >= 0)
		prune(d);
}

void
trails_stop(struct discovery *d)
{
	loop_timer_stop(d->loop, &d->prune_timer);
}
