/*
 * New settings while all goes on: what of them is taken at once, what waits for a restart, and what the
 * workers are told.
 */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include <json-c/json.h>
#include <stdint.h>

#include "conf/settings.h"

struct buf;
struct conf_sources;
struct counters_values;
struct pool;

/* Borrows all. */
struct reload {
	const struct conf_sources *sources;
	struct settings *settings; /* as of now; the pool's */
	struct pool *pool;
	struct counters_values *counters;
	uint32_t places; /* for workers: each needs a socket, and those are there from the start */
};

/* 0, and the keys that wait for a restart are added to waiting (or NULL); or -errno and a sentence:
 * then all is as before. */
int reload_settings(const struct reload *reload, struct json_object *waiting, struct buf *sentence);

/* The log is as the settings have it. */
void reload_log_level(const struct settings *settings);

#endif
