/* What the parts of a worker share. */
#ifndef WORKER_WORKER_STATE_H
#define WORKER_WORKER_STATE_H

#include "base/loop.h"
#include "base/offload.h"
#include "conf/settings.h"
#include "shm/pulse.h"
#include "shm/registry.h"
#include "stream/hub.h"
#include "worker/client_table.h"
#include "worker/peers.h"

struct connection;
struct listeners;
struct recorder;
struct run_wait;
struct runs_root;
struct troubles;

struct worker {
	struct loop *loop;
	struct offload *offload;
	struct settings settings; /* changed in place by a reload */
	struct registry *registry, *buses;
	struct peers *peers;
	struct client_table *clients;
	struct hub *hub;
	int discovery_bell_fd; /* borrowed */
	struct runs_root *runs_root;
	struct troubles *troubles;
	int runs_dir_fd;       /* runs_root's */

	/* Answers a connection's request, or begins to; the request is freed. May free the connection. */
	void (*dispatch)(struct connection *c);

	TAILQ_HEAD(, connection) connections;
	size_t connection_count;
	TAILQ_HEAD(, connection) ready; /* to be served, in order */
	struct loop_task serve_task;

	struct recorder *recorder;
	size_t body_bytes; /* of all bodies being collected or recorded: body.h */

	TAILQ_HEAD(, run_wait) run_waits;
	size_t run_wait_count;

	struct listeners *listeners;
	struct loop_fd bell_watch, supervisor_watch;
	int fd_limit; /* more descriptors this process cannot have */
	int fd_base;  /* so many it had before there were clients */
	struct loop_timer drain_timer;
	struct loop_timer figures_timer;
	struct pulse pulse;
	bool is_draining;
	int64_t posts_until_ms; /* posts are taken, while it drains: they are brief */
};

/* Has the ready connections served in the next turn. */
void worker_serve_soon(struct worker *worker);

/* A connection is gone: a worker that drains may be done. */
void worker_connection_closed(struct worker *worker);

#endif
