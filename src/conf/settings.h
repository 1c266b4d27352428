/*
 * What the configuration says, after defaults, file, RUNSTREAM_* variables and flags. A plain
 * struct: every process has its own copy, made by conf_load() (conf.h) or handed down by the
 * supervisor (settings_message.h). Each member has its key in the table of settings_key.h.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/settings_key.h"

struct buf;

/* Strings are owned by the struct. */
struct settings {
	struct {
		char *prefix;
		char *cors_origins; /* see model/origin.h */
		struct {
			int64_t poll_interval_ms;
			int64_t discovery_interval_ms;
			int64_t heartbeat_interval_s;
			int64_t max_clients_per_run;
			int64_t retry_ms; /* each client is told between half and one and a half of it */
			int64_t refused_retry_s;
			int64_t partial_flush_ms;
			int64_t terminal_linger_ms;
			int64_t max_line_bytes;
			int64_t max_wait_s;       /* the most that ?wait_s= may ask for */
			int64_t resume_retention_s;
			int64_t resume_most_bytes;
			int64_t client_timeout_s; /* one that takes nothing for so long is ended */
		} sse;
	} api;
	struct {
		char *runs_dir;
		struct {
			char *run_info;
			char *stdout_log; /* storage.files.stdout */
			char *stderr_log; /* storage.files.stderr */
			char *events;
			char *prompt;
			char *output;
			char *project_bus; /* in a project's folder */
			char *task_bus;    /* in a task's */
		} files;
		int64_t max_runs;
		int64_t max_buses;
	} storage;
	struct {
		bool inotify;
		int64_t healthy_poll_interval_ms; /* of a file whose watch works */
		int64_t cache_bytes;              /* of a worker */
	} following;
	struct {
		char *allow_from; /* see model/network.h */
		char *durability; /* see settings_recording_is_synced() */
		int64_t max_body_bytes;
	} recording;
	struct {
		char *runtime_dir;
		char *state_dir; /* "": in the runtime directory */
		int64_t workers;
		int64_t sockets; /* as it was said: see settings_sockets() */
		char *socket_mode;  /* octal */
		char *socket_group; /* "": the process's own */
		char *user;         /* "": nobody else */
		bool sandbox;
		int64_t max_clients_per_worker;
		int64_t request_timeout_ms;
		int64_t drain_ms;
	} server;
	struct {
		char *level;
		bool access;
	} log;
};

/* Sets every member to its default. 0 or -ENOMEM; on failure there is nothing to free. */
int settings_init(struct settings *ret_settings);
void settings_fini(struct settings *settings);
/* recording.durability. */
bool settings_recording_is_synced(const struct settings *settings);
/* How many sockets there are to be: server.sockets, and what server.workers makes of it. */
uint32_t settings_sockets(const struct settings *settings);
/* A deep copy. 0 or -ENOMEM. */
int settings_copy(const struct settings *settings, struct settings *ret_copy);

/* --- one by one ------------------------------------------------------------------------------- */

/*
 * Sets one member from text. 0; -ENOMEM; -EINVAL when it is not what the key must be: see
 * settings_key_append_demand() for the sentence.
 */
int settings_set(struct settings *settings, const struct settings_key *key, const char *text,
                 size_t length);

/* Appends the value as settings_set() takes it. */
void settings_append_text(struct buf *to, const struct settings *settings,
                          const struct settings_key *key);

bool settings_equal(const struct settings *a, const struct settings *b,
                    const struct settings_key *key);

/*
 * For a reload: gives those members of next that need a restart the values of running. Names
 * the keys that differed in ret_keys and returns their number, or -ENOMEM (next is then of no
 * use, except for settings_fini()).
 */
int settings_pin(struct settings *next, const struct settings *running,
                 const struct settings_key *ret_keys[static SETTINGS_COUNT]);

#endif
