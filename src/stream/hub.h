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
#include "follow/followers.h"
#include "shm/counters.h"
#include "shm/registry.h"
#include "stream/block.h"
#include "stream/renderer.h"

struct channel;
struct channel_key;
struct channel_slot;
struct feed;
struct subscription;
struct trail;
struct trail_reader;

enum { HUB_ANNOUNCEMENTS = 16 };

/* What is broadcast without being recorded (subscription.h). */
struct announcement {
	uint32_t slot;
	struct block *block; /* owned reference */
};

/* Called when a client subscribes (+1) or leaves (-1); slot: of the run, UINT32_MAX: of many. */
typedef void hub_count_fn(void *arg, uint32_t slot, int by);

/* Read-only for others than this layer. */
struct hub {
	struct loop *loop;
	struct offload *offload;
	const struct settings *settings;
	const struct registry *registry, *buses;
	struct followers *followers;
	struct renderer *renderer;
	struct block_cache cache;
	struct channel *channels;    /* by key */
	struct channel_slot *slots;  /* the channels of a run or bus */
	size_t channel_count;
	TAILQ_HEAD(, feed) feeds;
	uint32_t feed_number;        /* of the last one made */
	struct trail *trail;         /* of all feeds */
	struct trail_reader *trail_reader;
	TAILQ_HEAD(, subscription) subscriptions;
	struct announcement announcements[HUB_ANNOUNCEMENTS]; /* a ring */
	uint64_t announcement_count; /* ever made */
	size_t members, most_members; /* of all feeds: each has files open */
	uint64_t runs_not_followed;  /* for which there was no room */
	int discovery_bell_fd;       /* borrowed; -1: discovery is not asked */
	hub_count_fn *count;         /* or NULL */
	void *count_arg;
	uint64_t blocks_rendered;
	uint64_t gaps[COUNTERS_GAP_REASONS]; /* made, by reason; not holes, which the renderer counts */
	uint64_t reads_failed;       /* ever, of what is followed; tried again after a look */
	int read_error;              /* the errno of the last one */
	uint64_t registry_cursor, buses_cursor; /* in the feeds of changes */

	/* What stands for a file that a stream does not ask for. */
	struct source nothing;
	struct generation nothing_generation;
};

/* Borrows all, for its life; settings may change in place. 0 or -errno; returns owned. */
int hub_new(struct loop *loop, struct offload *offload, const struct settings *settings,
            const struct registry *registry, const struct registry *buses, int runs_dir_fd,
            struct hub **ret_hub);
/* Has fn called when a client comes or goes. */
void hub_count_with(struct hub *hub, hub_count_fn *fn, void *arg);

/* How many descriptors its files take, or will when all that is followed is there. */
size_t hub_descriptors(const struct hub *hub);
/*
 * Has streams of many runs be resumed from their ids, by what is kept in the state directory (borrowed).
 * Before anybody subscribes. 0 or -ENOMEM. Without it their ids are of no use.
 */
int hub_keep_trail(struct hub *hub, int state_dir_fd);

/* Has discovery asked, by its bell, where what the registry says may be of before. Borrows. */
void hub_ask_discovery(struct hub *hub, int bell_fd);

/* All subscribers must be gone. */
void hub_free(struct hub **hub);

/* A gap event was made. */
void hub_count_gap(struct hub *hub, const char *reason);

/* The settings were changed in place. */
void hub_settings_changed(struct hub *hub);

/* For channel.c: the channels that others may share. */
int hub_add_channel(struct hub *hub, struct channel *channel); /* 0 or -ENOMEM */
void hub_remove_channel(struct hub *hub, struct channel *channel); /* takes one that is not there */
struct channel *hub_find_channel(struct hub *hub, const struct channel_key *key); /* or NULL */

/* Takes in what changed in the registries since the last call, and wakes those it concerns. */
void hub_registry_changed(struct hub *hub);

#endif
