#include "stream/hub.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "stream/channel.h"

static void
keep_generation(struct generation *generation)
{
	/* Embedded in the hub, and its last reference is the hub's own. */
	(void)generation;
}

static const struct source_ops nothing_ops = { .free_generation = keep_generation };

int
hub_new(struct loop *loop, struct offload *offload, const struct settings *settings,
        const struct registry *registry, const struct registry *buses, int runs_dir_fd,
        struct hub **ret_hub)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	int error;

	if (!hub)
		return -ENOMEM;
	hub->loop = loop;
	hub->offload = offload;
	hub->settings = settings;
	hub->registry = registry;
	hub->registry_cursor = registry_changes_now(registry);
	hub->buses = buses;
	hub->buses_cursor = registry_changes_now(buses);
	block_cache_init(&hub->cache, (size_t)settings->following.cache_bytes);
	hub->nothing.ops = &nothing_ops;
	hub->nothing.is_ready = true;
	TAILQ_INIT(&hub->nothing.listeners);
	hub->nothing.current = &hub->nothing_generation;
	hub->nothing_generation.source = &hub->nothing;
	hub->nothing_generation.references = 1;
	error = renderer_new(&hub->renderer);
	if (!error)
		error = followers_new(loop, offload, settings, runs_dir_fd, &hub->followers);
	if (error) {
		hub_free(&hub);
		return error;
	}
	*ret_hub = hub;
	return 0;
}

void
hub_free(struct hub **hub)
{
	if (!*hub)
		return;
	must(!(*hub)->channels);
	followers_free(&(*hub)->followers);
	renderer_free(&(*hub)->renderer);
	free(*hub);
	*hub = NULL;
}

void
hub_settings_changed(struct hub *hub)
{
	hub->cache.most_bytes = (size_t)hub->settings->following.cache_bytes;
}

static void
update_slot(struct hub *hub, uint32_t slot)
{
	for (unsigned files = 1; files <= CHANNEL_BOTH; files++) {
		struct channel_key key = { .slot = slot, .files = files };
		struct channel *c;

		HASH_FIND(hh, hub->channels, &key, sizeof(key), c);
		if (c)
			channel_update_run(c);
	}
}

void
hub_registry_changed(struct hub *hub)
{
	uint32_t slots[256];
	struct channel *c, *next;
	ssize_t count;

	do {
		count = registry_changes(hub->registry, &hub->registry_cursor, slots,
		                         sizeof(slots) / sizeof(slots[0]));
		for (ssize_t i = 0; i < count; i++)
			update_slot(hub, slots[i]);
	} while (count > 0);
	if (count == -EOVERFLOW)
		HASH_ITER (hh, hub->channels, c, next)
			channel_update_run(c);
}
