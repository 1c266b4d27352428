#include "stream/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/must.h"
#include "stream/channel.h"
#include "stream/feed.h"
#include "stream/trail.h"
#include "stream/trail_reader.h"

static void
keep_generation(struct generation *generation)
{
	/* Embedded in the hub, and its last reference is the hub's own. */
	(void)generation;
}

static const struct source_ops nothing_ops = { .free_generation = keep_generation };

/* Each has two files open, and half of the descriptors is left to those who come. */
static size_t
most_members(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > SIZE_MAX / 2)
		return SIZE_MAX;
	return (size_t)limit.rlim_cur / 4;
}

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
	TAILQ_INIT(&hub->feeds);
	TAILQ_INIT(&hub->subscriptions);
	hub->discovery_bell_fd = -1;
	hub->most_members = most_members();
	block_cache_init(&hub->cache, (size_t)settings->following.cache_bytes);
	hub->nothing.ops = &nothing_ops;
	hub->nothing.is_ready = true;
	TAILQ_INIT(&hub->nothing.listeners);
	hub->nothing.current = &hub->nothing_generation;
	hub->nothing_generation.source = &hub->nothing;
	hub->nothing_generation.references = 1;
	error = hub_keep_trail(hub, -1);
	if (!error)
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

int
hub_keep_trail(struct hub *hub, int state_dir_fd)
{
	struct trail *trail = trail_new(hub->loop, hub->offload, state_dir_fd,
	                                &hub->settings->api.sse.resume_retention_s);
	struct trail_reader *reader = trail_reader_new(hub->offload, state_dir_fd);

	if (!trail || !reader) {
		trail_free(&trail);
		trail_reader_free(&reader);
		return -ENOMEM;
	}
	must(TAILQ_EMPTY(&hub->feeds));
	trail_free(&hub->trail);
	trail_reader_free(&hub->trail_reader);
	hub->trail = trail;
	hub->trail_reader = reader;
	return 0;
}

void
hub_ask_discovery(struct hub *hub, int bell_fd)
{
	hub->discovery_bell_fd = bell_fd;
}

void
hub_free(struct hub **hub)
{
	if (!*hub)
		return;
	must(!(*hub)->channels && TAILQ_EMPTY(&(*hub)->subscriptions) && TAILQ_EMPTY(&(*hub)->feeds));
	for (int i = 0; i < HUB_ANNOUNCEMENTS; i++)
		block_unref(&(*hub)->announcements[i].block);
	trail_free(&(*hub)->trail);
	trail_reader_free(&(*hub)->trail_reader);
	followers_free(&(*hub)->followers);
	renderer_free(&(*hub)->renderer);
	free(*hub);
	*hub = NULL;
}

void
hub_count_with(struct hub *hub, hub_count_fn *fn, void *arg)
{
	hub->count = fn;
	hub->count_arg = arg;
}

void
hub_count_gap(struct hub *hub, const char *reason)
{
	hub->gaps[counters_find_word(&counters_set_gap_reasons, reason, COUNTERS_GAP_OTHER)]++;
}

void
hub_settings_changed(struct hub *hub)
{
	struct channel *c, *next;

	hub->cache.most_bytes = (size_t)hub->settings->following.cache_bytes;
	followers_settings_changed(hub->followers);
	HASH_ITER (hh, hub->channels, c, next)
		channel_settings_changed(c);
}

size_t
hub_descriptors(const struct hub *hub)
{
	struct followers_figures figures = followers_figures(hub->followers);
	size_t files = figures.followers;

	/* Those that were rotated away are open until they are read. */
	if (files < figures.files_open)
		files = figures.files_open;
	if (!TAILQ_EMPTY(&hub->feeds) && hub->most_members != SIZE_MAX)
		files += 2 * (hub->most_members - hub->members);
	return files;
}

/* --- channels ------------------------------------------------------------------------------------------ */

/* All channels of one slot, so that a change of the registry finds them. */
struct channel_slot {
	uint64_t key;
	LIST_HEAD(, channel) channels;
	UT_hash_handle hh;
};

static uint64_t
slot_key(uint32_t slot, bool is_of_bus)
{
	return (uint64_t)slot << 1 | is_of_bus;
}

static struct channel_slot *
find_slot(struct hub *hub, uint32_t number, bool is_of_bus)
{
	uint64_t key = slot_key(number, is_of_bus);
	struct channel_slot *slot;

	HASH_FIND(hh, hub->slots, &key, sizeof(key), slot);
	return slot;
}

struct channel *
hub_find_channel(struct hub *hub, const struct channel_key *key)
{
	struct channel *c;

	HASH_FIND(hh, hub->channels, key, sizeof(*key), c);
	return c;
}

int
hub_add_channel(struct hub *hub, struct channel *c)
{
	struct channel_slot *slot = find_slot(hub, c->key.slot, c->key.kind->is_of_bus);

	if (!slot) {
		slot = malloc(sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		slot->key = slot_key(c->key.slot, c->key.kind->is_of_bus);
		LIST_INIT(&slot->channels);
		HASH_ADD(hh, hub->slots, key, sizeof(slot->key), slot);
	}
	LIST_INSERT_HEAD(&slot->channels, c, of_slot_entry);
	c->of_slot = slot;
	HASH_ADD(hh, hub->channels, key, sizeof(c->key), c);
	c->is_in_hub = true;
	hub->channel_count++;
	return 0;
}

void
hub_remove_channel(struct hub *hub, struct channel *c)
{
	if (!c->is_in_hub)
		return;
	c->is_in_hub = false;
	hub->channel_count--;
	HASH_DELETE(hh, hub->channels, c);
	LIST_REMOVE(c, of_slot_entry);
	if (LIST_EMPTY(&c->of_slot->channels)) {
		HASH_DELETE(hh, hub->slots, c->of_slot);
		free(c->of_slot);
	}
}

/* --- what changes ---------------------------------------------------------------------------------------- */

static void
update_slot(struct hub *hub, uint32_t number, bool is_of_bus)
{
	struct channel_slot *slot = find_slot(hub, number, is_of_bus);
	struct channel *c;

	if (slot)
		LIST_FOREACH (c, &slot->channels, of_slot_entry)
			channel_update_run(c);
	feeds_update(hub, number, is_of_bus);
}

/* We fell too far behind the feed of changes. */
static void
update_all(struct hub *hub, bool is_of_bus)
{
	struct channel *c, *next;

	HASH_ITER (hh, hub->channels, c, next)
		if (c->key.kind->is_of_bus == is_of_bus)
			channel_update_run(c);
	feeds_update_all(hub, is_of_bus);
}

static void
take_changes(struct hub *hub, const struct registry *registry, uint64_t *cursor, bool is_of_bus)
{
	uint32_t slots[256];
	ssize_t count;

	do {
		count = registry_changes(registry, cursor, slots, sizeof(slots) / sizeof(slots[0]));
		for (ssize_t i = 0; i < count; i++)
			update_slot(hub, slots[i], is_of_bus);
	} while (count > 0);
	if (count == -EOVERFLOW)
		update_all(hub, is_of_bus);
}

void
hub_registry_changed(struct hub *hub)
{
	take_changes(hub, hub->registry, &hub->registry_cursor, false);
	take_changes(hub, hub->buses, &hub->buses_cursor, true);
	feeds_open(hub);
}
