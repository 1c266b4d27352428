#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/orders.h"
#include "worker/connection.h"
#include "worker/listeners.h"
#include "worker/recording_routes.h"
#include "worker/routes.h"
#include "worker/run_wait.h"
#include "worker/runs_root.h"
#include "worker/troubles.h"
#include "worker/worker_state.h"

enum {
	HELPER_THREADS = 32,
	SERVES_A_TURN = 256, /* then new connections and files have their turn */
	FIGURES_MS = 1000,
	/* After a drain is over, clients that take nothing are not waited for any longer. */
	DRAIN_GRACE_MS = 500,
};

/* --- serving -------------------------------------------------------------------------------------------- */

static void
serve(void *arg)
{
	struct worker *worker = arg;
	struct connection *c;

	for (int i = 0; i < SERVES_A_TURN && (c = TAILQ_FIRST(&worker->ready)) != NULL; i++) {
		TAILQ_REMOVE(&worker->ready, c, ready_entry);
		c->is_ready = false;
		connection_serve(c);
	}
	if (!TAILQ_EMPTY(&worker->ready))
		worker_serve_soon(worker);
}

void
worker_serve_soon(struct worker *worker)
{
	loop_defer(worker->loop, &worker->serve_task, serve, worker);
}

/* --- news --------------------------------------------------------------------------------------------------- */

static void
on_bell(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	eventfd_t count;

	(void)events;
	eventfd_read(worker->bell_watch.fd, &count);
	hub_registry_changed(worker->hub);
	run_wait_check_all(worker);
}

/* What was followed lies elsewhere now, or not at all. */
static void
on_runs_root(void *arg)
{
	struct worker *worker = arg;

	log_info("runs_dir", "path=\"%s\" followers=%ju", worker->settings.storage.runs_dir,
	         (uintmax_t)followers_figures(worker->hub->followers).followers);
	followers_look_anew(worker->hub->followers);
}

static void
publish_log(struct counters_values *counters)
{
	struct log_figures figures;

	log_tick();
	figures = log_figures();
	counters->log_lines_dropped = figures.dropped;
	counters->log_lines_summarised = figures.summarised;
}

static void
publish_figures(void *arg)
{
	struct worker *worker = arg;
	struct counters_values *counters = peers_counters(worker->peers);
	struct followers_figures figures = followers_figures(worker->hub->followers);
	struct renderer_figures rendered = renderer_figures(worker->hub->renderer);

	counters->followers = figures.followers;
	counters->files_open = figures.files_open;
	counters->channels = worker->hub->channel_count;
	counters->blocks_rendered = worker->hub->blocks_rendered;
	counters->cache_bytes = worker->hub->cache.bytes;
	memcpy(counters->gaps, worker->hub->gaps, sizeof(counters->gaps));
	counters->gaps[COUNTERS_GAP_HOLE] += rendered.holes;
	counters->entries_malformed = rendered.malformed;
	counters->clients_limit = (uint64_t)worker->settings.server.max_clients_per_worker;
	publish_log(counters);
	client_table_refresh(worker->clients);
	troubles_refresh(worker);
	loop_timer_set(worker->loop, &worker->figures_timer, FIGURES_MS, publish_figures, worker);
}

static void
measure_turn(void *arg, int64_t took_ns)
{
	struct counters_values *counters = arg;

	counters_observe(&counters->loop_turn_us, took_ns / 1000);
}

static void
take_settings(struct worker *worker, struct settings *settings)
{
	struct connection *c;
	enum log_level level;

	settings_fini(&worker->settings);
	worker->settings = *settings;
	if (log_parse_level(worker->settings.log.level, &level) == 0)
		log_set_level(level);
	hub_settings_changed(worker->hub);
	TAILQ_FOREACH (c, &worker->connections, entry)
		connection_set_timer(c);
	log_info("settings_taken", "connections=%zu", worker->connection_count);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static void
drained(void *arg)
{
	struct worker *worker = arg;

	log_info("drain_over", "connections_left=%zu", worker->connection_count);
	loop_stop(worker->loop);
}

void
worker_connection_closed(struct worker *worker)
{
	if (worker->is_draining && worker->connection_count == 0)
		loop_stop(worker->loop);
}

static void
drain(struct worker *worker, const char *why)
{
	int64_t drain_ms = worker->settings.server.drain_ms, i = 0;
	struct connection *c;

	if (worker->is_draining)
		return;
	worker->is_draining = true;
	worker->posts_until_ms = loop_now_ms(worker->loop) + drain_ms;
	log_info("draining", "reason=%s connections=%zu drain_ms=%lld", why, worker->connection_count,
	         (long long)drain_ms);
	/* Evenly over the time, and each at a moment of its own in its share of it: so those who come
	 * back do not come all at once, here or where another worker is drained. */
	TAILQ_FOREACH (c, &worker->connections, entry) {
		int64_t share = drain_ms * 1000 / (int64_t)worker->connection_count;

		connection_drain(c, (share * i++ + random() % (share + 1)) / 1000);
	}
	loop_timer_set(worker->loop, &worker->drain_timer, drain_ms + DRAIN_GRACE_MS, drained, worker);
	worker_connection_closed(worker);
}

static void
on_signal(void *arg, int signal_number)
{
	(void)signal_number;
	drain(arg, "signal");
}

static void
announce(struct worker *worker, const struct broadcast *broadcast)
{
	struct buf text = BUF_INIT;
	struct block *block;

	broadcast_put(&text, broadcast, clock_wall_ms());
	block = block_take(&text);
	if (!block) {
		log_error("broadcast", "error=\"%s\"", strerror(ENOMEM));
		return;
	}
	subscription_broadcast(worker->hub, SUBSCRIPTION_MANY, block);
}

static void
obey(struct worker *worker, struct order *order)
{
	switch (order->kind) {
	case ORDER_SETTINGS:
		take_settings(worker, &order->settings);
		order->settings = (struct settings){ 0 };
		break;
	case ORDER_KICK:
		log_info("kick", "client=%ju found=%s", (uintmax_t)order->client,
		         client_table_kick(worker->clients, order->client) ? "yes" : "no");
		break;
	case ORDER_BROADCAST:
		announce(worker, &order->broadcast);
		break;
	case ORDER_LISTEN:
		listeners_choose(worker->listeners, order->listen_set);
		break;
	}
}

static void
on_supervisor(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	struct order order;
	int got = orders_receive(worker->supervisor_watch.fd, &order);

	(void)events;
	if (got == 1) {
		obey(worker, &order);
		order_fini(&order);
	} else if (got == -EBADMSG) {
		log_error("order_unreadable", "error=\"%s\"", strerror(-got));
	} else if (got != -EAGAIN) {
		loop_fd_remove(worker->loop, &worker->supervisor_watch);
		drain(worker, "supervisor_gone");
	}
}

/* --- beginning -------------------------------------------------------------------------------------------------- */

static void
count(void *arg, uint32_t slot, int by)
{
	struct worker *worker = arg;

	peers_change(worker->peers, slot, by);
}

static int
set_up(struct worker *worker, const struct instance *instance)
{
	int error;

	/* Blocks come and go: their pages are given back rather than kept for another burst. */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	srandom((unsigned)getpid());
	signal(SIGPIPE, SIG_IGN);
	error = loop_new(&worker->loop);
	if (!error)
		error = loop_signal_add(worker->loop, SIGTERM, on_signal, worker);
	if (!error)
		error = offload_new(worker->loop, HELPER_THREADS, &worker->offload);
	if (!error)
		error = registry_open(instance->registry_fd, &worker->registry);
	if (!error)
		error = registry_open(instance->buses_fd, &worker->buses);
	if (!error)
		error = peers_new(instance, &worker->peers);
	if (!error)
		loop_measure(worker->loop, measure_turn, peers_counters(worker->peers));
	if (!error)
		error = client_table_new(worker, instance->clients_fd, &worker->clients);
	if (!error)
		error = runs_root_new(worker->loop, worker->offload, &worker->settings,
		                      instance->runs_dir_fd, on_runs_root, worker, &worker->runs_root);
	if (!error)
		worker->runs_dir_fd = runs_root_fd(worker->runs_root);
	if (!error)
		error = hub_new(worker->loop, worker->offload, &worker->settings, worker->registry,
		                worker->buses, worker->runs_dir_fd, &worker->hub);
	if (!error)
		error = hub_keep_trail(worker->hub, instance->state_dir_fd);
	if (!error) {
		hub_count_with(worker->hub, count, worker);
		hub_ask_discovery(worker->hub, worker->discovery_bell_fd);
	}
	if (!error)
		error = recorder_new(worker, worker->runs_dir_fd, recording_routes_answer,
		                     &worker->recorder);
	if (!error)
		error = loop_fd_add(worker->loop, &worker->supervisor_watch, instance->supervisor_fd, EPOLLIN,
		                    on_supervisor, worker);
	if (!error)
		error = loop_fd_add(worker->loop, &worker->bell_watch,
		                    instance->worker_bell_fds[instance->worker_index], EPOLLIN, on_bell,
		                    worker);
	if (!error) {
		worker->troubles = troubles_new();
		error = worker->troubles ? 0 : -ENOMEM;
	}
	if (!error)
		error = listeners_new(worker, instance, &worker->listeners);
	if (!error)
		publish_figures(worker);
	if (!error)
		pulse_begin(&worker->pulse, worker->loop, instance->supervisor_fd);
	return error;
}

static void
tear_down(struct worker *worker)
{
	struct connection *c;

	listeners_free(&worker->listeners);
	while ((c = TAILQ_FIRST(&worker->connections)) != NULL) {
		client_table_note_end(c, COUNTERS_ENDED_DRAINED);
		connection_free(c);
	}
	/* First the threads, so that none of their work is left when the files go. What one uses that
	 * hangs is left to the end of the process. */
	if (offload_free(&worker->offload) > 0 || recorder_free(&worker->recorder) > 0)
		return;
	hub_free(&worker->hub);
	runs_root_free(&worker->runs_root);
	troubles_free(&worker->troubles);
	client_table_free(&worker->clients);
	peers_free(&worker->peers);
	registry_close(&worker->buses);
	registry_close(&worker->registry);
	if (worker->loop) {
		loop_timer_stop(worker->loop, &worker->drain_timer);
		loop_timer_stop(worker->loop, &worker->figures_timer);
		pulse_end(&worker->pulse);
	}
	loop_free(&worker->loop);
	settings_fini(&worker->settings);
}

/* The number that the next one gets: the lowest that is free. */
static int
next_descriptor(const struct worker *worker)
{
	int fd = dup(worker->runs_dir_fd >= 0 ? worker->runs_dir_fd : worker->discovery_bell_fd);
	int number = fd >= 0 ? fd : 0;

	fd_close(&fd);
	return number;
}

int
worker_main(struct instance *instance)
{
	struct worker worker = { .discovery_bell_fd = instance->discovery_bell_fd,
		                 .dispatch = routes_dispatch,
		                 .fd_limit = INT_MAX };
	struct rlimit limit;
	int error;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
		worker.fd_limit = (int)limit.rlim_cur;
	TAILQ_INIT(&worker.connections);
	TAILQ_INIT(&worker.ready);
	TAILQ_INIT(&worker.run_waits);
	worker.settings = instance->settings;
	memset(&instance->settings, 0, sizeof(instance->settings));
	error = set_up(&worker, instance);
	worker.fd_base = next_descriptor(&worker);
	if (!error) {
		log_info("worker_started", "worker=%u inotify=%s", instance->worker_index + 1,
		         followers_have_inotify(worker.hub->followers) ? "yes" : "no");
		error = loop_run(worker.loop);
	}
	if (error)
		log_error("worker_failed", "error=\"%s\"", strerror(-error));
	tear_down(&worker);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
