/*
 * What the configuration says, after defaults, file, RUNSTREAM_* variables and flags. A plain
 * struct: every process has its own copy, made from the same text by settings_load() (conf.h).
 * Each member is one row of the key table in settings.c, which gives its type, default, range
 * and help, and from which the checks against runstream.yaml(5) are made.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
