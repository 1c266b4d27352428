/*
 * What all streams of a process share: the followers, the channels, the cache of rendered
 * blocks, and what the registry says of runs. The entrance to this layer, for a worker and for
 * whoever reads a stream without one.
 */
#ifndef STREAM_HUB_H
#define STREAM_HUB_H

#include "base/loop.h"
#include "base/offload.h"
#include "conf/settings.h"
#include "shm/registry.h"
#include "stream/block.h"
#include "stream/followers.h"
#include "stream/renderer.h"

struct channel;

/* Read-only for others than hub.c and channel.c. */
struct hub {
	struct loop *loop;
	struct offload *offload;
	const struct settings *settings;
	const struct registry *registry, *buses;
	struct followers *followers;
	struct renderer *renderer;
	struct block_cache cache;
	struct channel *channels; /* by run and chosen files */
	size_t channel_count;
	uint64_t blocks_rendered, gaps;
	uint64_t registry_cursor, buses_cursor; /* in the feeds of changes */

	/* What stands for a file that a stream does not ask for. */
	struct source nothing;
	struct generation nothing_generation;
};

/* Borrows all, for its life; settings may change in place. 0 or -errno; returns owned. */
int hub_new(struct loop *loop, struct offload *offload, const struct settings *settings,
            const struct registry *registry, const struct registry *buses, int runs_dir_fd,
            struct hub **ret_hub);
/* All subscribers must be gone. */
void hub_free(struct hub **hub);

/* The settings were changed in place. */
void hub_settings_changed(struct hub *hub);

/* Takes in what changed in the registry since the last call, and wakes those it concerns. */
void hub_registry_changed(struct hub *hub);

#endif
