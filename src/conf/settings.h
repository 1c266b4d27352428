/*
 * What the configuration says, after defaults, file, RUNSTREAM_* variables and flags. A plain
 * struct: every process has its own copy, made by conf_load() (conf.h) or handed down by the
 * supervisor (settings_message.h). Each member is one row of the key table in settings.c, which
 * gives its type, default, range and help, and from which the pages are checked.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Strings are owned by the struct. */
struct settings {
	struct {
		char *prefix; /* api.prefix: "/api" */
		struct {
			int64_t poll_interval_ms;      /* 100; 10 to 60,000 */
			int64_t discovery_interval_ms; /* 1,000; 10 to 3,600,000 */
			int64_t heartbeat_interval_s;  /* 30; 1 to 3,600 */
			int64_t max_clients_per_run;   /* 10; 1 to 1,000,000 */
			int64_t retry_ms;              /* 2,000; 100 to 600,000: each client is told between half and one and a half of it */
			int64_t refused_retry_s;       /* 30; 1 to 86,400: for those who were refused */
			int64_t partial_flush_ms;      /* 1,000; 0 to 3,600,000 */
			int64_t terminal_linger_ms;    /* 1,000; 0 to 3,600,000 */
			int64_t max_line_bytes;        /* 65,536; 1,024 to 1,048,576 */
			int64_t max_wait_s;            /* 300; 0 to 86,400: the most that ?wait_s= may ask for */
			int64_t client_timeout_s;      /* 300; 1 to 86,400: a client that takes nothing for so long is ended */
		} sse;
	} api;
	struct {
		char *runs_dir; /* storage.runs_dir: "/var/lib/runstream/runs"; also --runs-dir */
		struct {
			char *run_info; /* "run-info.yaml" */
			char *stdout_log; /* storage.files.stdout: "agent-stdout.txt" */
			char *stderr_log; /* storage.files.stderr: "agent-stderr.txt" */
			char *events;   /* "events.jsonl" */
		} files;
		int64_t max_runs; /* 1,000,000; 1 to 16,000,000: reserved sparsely */
	} storage;
	struct {
		bool inotify;                  /* following.inotify: true */
		int64_t healthy_poll_interval_ms; /* 2,000; 10 to 600,000: looks at a file whose watch works */
		int64_t cache_bytes;           /* 16,777,216; 1 MiB to 1 GiB: rendered blocks shared by clients, per worker */
	} following;
	struct {
		char *runtime_dir;  /* --runtime-dir; default: /run/runstream for root, else $XDG_RUNTIME_DIR/runstream, else /tmp/runstream-UID */
		int64_t workers;    /* --workers; default: processors online, at most 8; 1 to 64 */
		char *socket_mode;  /* "0660": octal, of the workers' sockets */
		char *socket_group; /* "": the group that may connect; empty: the process's own */
		char *user;         /* "": whom discovery and workers become when started as root; empty: stay */
		int64_t max_clients_per_worker; /* 10,000; 1 to 1,000,000 */
		int64_t request_timeout_ms;     /* 5,000; 100 to 600,000: for a request to arrive whole */
		int64_t drain_ms;               /* 2,000; 0 to 3,600,000: over which a worker that stops ends its streams */
	} server;
	struct {
		char *level; /* log.level: "info"; error, warning, info, debug */
	} log;
};

/* Sets every member to its default. 0 or -ENOMEM; on failure there is nothing to free. */
int settings_init(struct settings *ret_settings);
void settings_fini(struct settings *settings);
/* A deep copy. 0 or -ENOMEM. */
int settings_copy(const struct settings *settings, struct settings *ret_copy);

/* --- the key table ---------------------------------------------------------------------------- */

enum settings_type {
	SETTINGS_NUMBER,  /* int64_t from lowest to highest */
	SETTINGS_BOOLEAN, /* bool; true or false */
	/* char *, at most SETTINGS_TEXT_BYTES and without control characters; what else it must be: */
	SETTINGS_PATH,    /* absolute */
	SETTINGS_FILE,    /* one name in a folder */
	SETTINGS_PREFIX,  /* the beginning of an URL's path */
	SETTINGS_MODE,    /* octal */
	SETTINGS_ACCOUNT, /* a user or group, or empty */
	SETTINGS_LEVEL,   /* a level of log.h */
};

enum { SETTINGS_TEXT_BYTES = 1023, SETTINGS_COUNT = 30 };

struct settings_key {
	const char *path; /* "api.sse.poll_interval_ms" */
	const char *help; /* one sentence */
	/* What the pages say of a default that depends on the machine; else NULL. */
	const char *default_words;
	const char *default_text; /* of text */
	int64_t default_number;   /* of numbers and booleans */
	int64_t lowest, highest;  /* of numbers */
	size_t offset;            /* of the member in struct settings */
	enum settings_type type;
	bool needs_restart;       /* a reload does not change it */
};

/* All SETTINGS_COUNT keys, those of a section together. */
extern const struct settings_key settings_keys[SETTINGS_COUNT];

/*
 * Sets one member from text. 0; -ENOMEM; -EINVAL when it is not what the key must be: see
 * settings_append_demand() for the sentence.
 */
int settings_set(struct settings *settings, const struct settings_key *key, const char *text,
                 size_t length);

/* Appends what a value must be: "a whole number of milliseconds from 10 to 60000". */
void settings_append_demand(struct buf *to, const struct settings_key *key);
/* Appends the value as YAML: 100, true, "text". */
void settings_append_value(struct buf *to, const struct settings *settings,
                           const struct settings_key *key);
/* Appends the value as settings_set() takes it. */
void settings_append_text(struct buf *to, const struct settings *settings,
                          const struct settings_key *key);
/* Appends a configuration file that says all that settings holds. */
void settings_append_yaml(struct buf *to, const struct settings *settings);

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
