#include "discovery/discovery.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "discovery/state.h"
#include "shm/bell.h"
#include "shm/orders.h"

enum {
	FORCED_LOOKS_GAP_MS = 50, /* between looks that are asked for */
	FORCED_LOOKS_SHARE = 10,  /* and they take at most one part in so many of the time */
	CANDIDATES_PER_LOOK = 256,
	BELLS_A_LOOK = 256, /* more than the pipe holds */
};

/* --- what is told of it ------------------------------------------------------------------------- */

static void
publish_runs(struct discovery *d)
{
	const uint64_t *buses = registry_writer_live(d->bus_writer);

	memcpy(d->counters->runs, registry_writer_live(d->writer), sizeof(d->counters->runs));
	d->counters->buses = 0;
	for (size_t i = 0; i < COUNTERS_STATUSES; i++)
		d->counters->buses += buses[i];
}

static void
publish_look(struct discovery *d, int64_t began_ns)
{
	counters_observe(&d->counters->look_us, (clock_now_ns() - began_ns) / 1000);
	d->counters->last_look_timestamp_ms = (uint64_t)clock_wall_ms();
	d->counters->runs_dir_missing = d->root_fd < 0;
	log_tick();
	d->counters->log_lines_dropped = log_figures().dropped;
	d->counters->log_lines_summarised = log_figures().summarised;
	publish_runs(d);
}

/* What could not be had, said when it is news. */
static void
tell_faults(struct discovery *d)
{
	const uint64_t *faults = d->counters->faults;
	uint64_t times;

	switch (episode_look(&d->folders_unread, faults[COUNTERS_FAULT_LOOK], clock_now_ms(), &times)) {
	case EPISODE_NOTHING:
		break;
	case EPISODE_BEGAN:
	case EPISODE_GOES_ON:
		log_warning("folder_unreadable", "folder=\"%s\" error=\"%s\" times=%ju", d->folder_failed,
		            strerror(d->folder_error), (uintmax_t)times);
		break;
	case EPISODE_IS_OVER:
		log_info("folder_unreadable", "over=1 times=%ju", (uintmax_t)times);
		break;
	}
	episode_tell(&d->infos_unread, faults[COUNTERS_FAULT_READ], "run_info_unread", d->info_error,
	             "what it said before holds until it can be read");
	episode_tell(&d->inotify_refused, faults[COUNTERS_FAULT_INOTIFY], "inotify_refused",
	             d->inotify_error,
	             "folders are polled until it can be had: see fs.inotify.max_user_watches and "
	             "max_user_instances");
	episode_tell(&d->overflows, faults[COUNTERS_FAULT_OVERFLOW], "inotify_overflow", EOVERFLOW,
	             "all folders are listed anew");
}

static void
measure_turn(void *arg, int64_t took_ns)
{
	struct discovery *d = arg;

	counters_observe(&d->counters->loop_turn_us, took_ns / 1000);
}

/* --- looks -------------------------------------------------------------------------------------- */

/* If this does not come to its end, since what it looks at hangs, the run stays left out. */
static void
answer_about(struct discovery *d, uint32_t slot)
{
	registry_writer_leave_out(d->writer, slot, true);
	if (d->root_fd >= 0 && runs_refresh(d, slot, false))
		registry_writer_leave_out(d->writer, slot, false);
}

/* A run that is asked for is looked at at once: one that is over would be in the sweep alone, and
 * may have gone on. Returns how many were asked for. */
static size_t
answer_bell(struct discovery *d)
{
	size_t count = d->slot_count;

	if (count == 0)
		count = d->slot_count = bell_read(d->instance->discovery_bell_fd, d->slots,
		                                  SLOTS_A_BELL);
	while (d->slot_count > 0) {
		uint32_t slot = d->slots[--d->slot_count];

		if (slot == BELL_NEW)
			d->bell_rung = true;
		else if (slot < registry_count(d->registry))
			answer_about(d, slot);
	}
	return count;
}

static void
look(struct discovery *d)
{
	int64_t began_ns = clock_now_ns(), began_ms = began_ns / 1000000;

	/* As it was, if this is one that was set aside and begins anew. */
	d->look_is_forced = d->look_is_forced || d->bell_rung;
	d->bell_rung = false;
	d->look_left_out = false;
	registry_writer_look_begin(d->writer);
	if (!root_check(d)) {
		d->look_left_out = true;
	} else {
		bool retries = runs_retry(d);
		uint64_t refused = d->counters->faults[COUNTERS_FAULT_REGISTRY_FULL];

		if (d->must_choose_watches)
			watch_choose(d);
		watch_retry(d);
		hints_read(d);
		scan_folders(d, d->look_is_forced || !d->is_settled);
		/* Whoever rang before the look began has an answer when it is finished. */
		for (int i = 0; i < BELLS_A_LOOK && answer_bell(d) > 0; i++)
			;
		/* Who asks may ask for what one of them is by now. */
		candidates_look(d, d->look_is_forced ? SIZE_MAX : CANDIDATES_PER_LOOK);
		runs_look_closely(d);
		if (d->is_settled) {
			runs_sweep(d, began_ms - d->look_began_ms);
			buses_sweep(d, began_ms - d->look_began_ms);
		} else {
			runs_settle(d);
			buses_settle(d);
			/* Who asked the one before us about a run that is over, which we took for what
			 * it was, is to ask again. */
			registry_writer_take_over(d->writer);
		}
		d->is_settled = true;
		if (retries && d->counters->faults[COUNTERS_FAULT_REGISTRY_FULL] == refused)
			runs_fit(d);
	}
	/* Before it is finished: who has waited for it sees these figures as well. */
	publish_look(d, began_ns);
	registry_writer_look_was_full(d->writer, d->is_full);
	if (!d->look_left_out)
		registry_writer_look_was_whole(d->writer);
	registry_writer_look_finish(d->writer);
	d->look_count++;
	d->look_began_ms = began_ms;
	d->look_ended_ms = clock_now_ms();
	/* The first is awaited also by those to whom it has nothing to say. */
	bells_ring(d, d->look_is_forced || bells_are_due(d) || d->look_count == 1);
	/* Who waits for what may lie in what was left out waits for the next one. */
	d->look_is_forced = d->look_is_forced && d->look_left_out;
}

/* In the errand's thread. */
static void
do_errand(struct discovery *d, unsigned todo)
{
	if (todo & ERRAND_HINTS && d->root_fd >= 0)
		hints_read(d);
	if (todo & ERRAND_BELL)
		answer_bell(d);
	if (todo & ERRAND_LOOK) {
		look(d);
		tell_faults(d);
	}
	publish_runs(d);
	bells_ring(d, bells_are_due(d)); /* whoever asked waits for it */
}

/* --- when what is done -------------------------------------------------------------------------- */

/* The descriptors whose events have yet to be taken are not listened to meanwhile. */
static void
do_soon(struct discovery *d, unsigned todo)
{
	d->todo |= todo;
	errands_go(d);
}

static void
timed_look(void *arg)
{
	do_soon(arg, ERRAND_LOOK);
}

static void
on_bell(void *arg, uint32_t events)
{
	struct discovery *d = arg;

	(void)events;
	loop_fd_change(d->loop, &d->bell_watch, 0);
	do_soon(d, ERRAND_BELL);
}

static void
on_inotify(void *arg, uint32_t events)
{
	struct discovery *d = arg;

	(void)events;
	loop_fd_change(d->loop, &d->inotify_watch, 0);
	do_soon(d, ERRAND_HINTS);
}

/* What is left in them is read in the next errand. */
static void
listen_again(struct discovery *d)
{
	loop_fd_change(d->loop, &d->bell_watch, EPOLLIN);
	if (d->inotify_fd < 0)
		return;
	if (!d->inotify_watch.fn)
		loop_fd_add(d->loop, &d->inotify_watch, d->inotify_fd, EPOLLIN, on_inotify, d);
	else if (d->root_fd >= 0) /* who is to read it otherwise */
		loop_fd_change(d->loop, &d->inotify_watch, EPOLLIN);
}

/* The next look is brought forward, for all who ask until then. */
static void
hasten(struct discovery *d)
{
	int64_t gap_ms, wait_ms, now_ms = clock_now_ms();

	gap_ms = (d->look_ended_ms - d->look_began_ms) * FORCED_LOOKS_SHARE;
	if (gap_ms < FORCED_LOOKS_GAP_MS)
		gap_ms = FORCED_LOOKS_GAP_MS;
	wait_ms = d->look_ended_ms + gap_ms - now_ms;
	if (wait_ms < d->look_timer.due_ms - now_ms)
		loop_timer_set(d->loop, &d->look_timer, wait_ms, timed_look, d);
}

static void
look_later(struct discovery *d)
{
	int64_t interval_ms = d->instance->settings.api.sse.discovery_interval_ms;
	int64_t took_ms = d->look_ended_ms - d->look_began_ms;

	/* From the beginning to the beginning; but a look that takes longer than the interval must
	 * not leave us with no time for anything else. The first, which lists all, says nothing of
	 * how long the next one takes. */
	if (d->look_count > 1)
		interval_ms -= took_ms;
	if (d->look_count > 1 && interval_ms < took_ms)
		interval_ms = took_ms;
	loop_timer_set(d->loop, &d->look_timer, interval_ms, timed_look, d);
}

/* --- from above --------------------------------------------------------------------------------- */

static bool
same_files(const struct settings *a, const struct settings *b)
{
	return strcmp(a->storage.files.run_info, b->storage.files.run_info) == 0 &&
	       strcmp(a->storage.files.stdout_log, b->storage.files.stdout_log) == 0 &&
	       strcmp(a->storage.files.stderr_log, b->storage.files.stderr_log) == 0 &&
	       strcmp(a->storage.files.events, b->storage.files.events) == 0 &&
	       strcmp(a->storage.files.project_bus, b->storage.files.project_bus) == 0 &&
	       strcmp(a->storage.files.task_bus, b->storage.files.task_bus) == 0;
}

static void
take_settings(struct discovery *d, struct settings *settings)
{
	struct settings old = d->instance->settings;
	enum log_level level;

	d->instance->settings = *settings;
	if (log_parse_level(settings->log.level, &level) == 0)
		log_set_level(level);
	if (!same_files(&old, settings))
		d->must_list_all = true;
	if (old.following.inotify != settings->following.inotify) {
		d->must_choose_watches = true;
		d->must_list_all = true;
	}
	settings_fini(&old);
	/* With the new interval, and the new directory. */
	loop_timer_set(d->loop, &d->look_timer, 0, timed_look, d);
}

/* The loop has all again that is known. */
static void
errand_is_done(struct discovery *d, unsigned todo)
{
	listen_again(d);
	if (todo & ERRAND_LOOK)
		look_later(d);
	if (d->new_settings) {
		take_settings(d, d->new_settings);
		free(d->new_settings);
		d->new_settings = NULL;
	}
	if (d->bell_rung)
		hasten(d);
}

/* They wait for the end of the errand that is under way; newer ones take their place. */
static void
keep_settings(struct discovery *d, struct settings *settings)
{
	if (!d->errand) {
		take_settings(d, settings);
	} else if (d->new_settings) {
		settings_fini(d->new_settings);
		*d->new_settings = *settings;
	} else if ((d->new_settings = malloc(sizeof(*settings))) != NULL) {
		*d->new_settings = *settings;
	} else {
		log_error("order_unreadable", "error=\"%s\"", strerror(ENOMEM));
		settings_fini(settings);
	}
	*settings = (struct settings){ 0 };
}

static void
on_supervisor(void *arg, uint32_t events)
{
	struct discovery *d = arg;
	struct order order;
	int got = orders_receive(d->instance->supervisor_fd, &order);

	(void)events;
	if (got > 0) {
		/* The others are for workers. */
		if (order.kind == ORDER_SETTINGS)
			keep_settings(d, &order.settings);
		order_fini(&order);
	} else if (got == -EBADMSG) {
		log_error("order_unreadable", "error=\"%s\"", strerror(-got));
	} else if (got != -EAGAIN) {
		loop_stop(d->loop); /* the supervisor is gone */
	}
}

static void
on_signal(void *arg, int signal_number)
{
	struct discovery *d = arg;

	/* The others come from a terminal, to all; the supervisor says what they mean. */
	if (signal_number == SIGTERM)
		loop_stop(d->loop);
}

/* --- start and end ------------------------------------------------------------------------------ */

static int
start(struct discovery *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int error;

	error = loop_new(&d->loop);
	for (size_t i = 0; !error && i < sizeof(signals) / sizeof(signals[0]); i++)
		error = loop_signal_add(d->loop, signals[i], on_signal, d);
	if (!error)
		error = registry_writer_open(d->instance->registry_fd, &d->writer);
	if (!error)
		error = counters_open(d->instance->discovery_counters_fd, true, &d->counters_map);
	if (error)
		return error;
	d->counters = counters_own(d->counters_map);
	memset(d->counters, 0, sizeof(*d->counters));
	loop_measure(d->loop, measure_turn, d);
	d->registry = registry_writer_view(d->writer);
	d->runs = calloc(registry_capacity(d->registry), sizeof(*d->runs));
	if (!d->runs)
		return -ENOMEM;
	error = buses_start(d);
	if (!error)
		error = folders_start(d);
	if (error)
		return error;
	publish_runs(d);
	d->do_errand = do_errand;
	d->errand_is_done = errand_is_done;
	error = errands_start(d);
	if (error)
		return error;
	watch_start(d);
	error = fd_set_nonblocking(d->instance->discovery_bell_fd);
	if (!error)
		error = loop_fd_add(d->loop, &d->bell_watch, d->instance->discovery_bell_fd,
		                    EPOLLIN, on_bell, d);
	if (!error)
		error = loop_fd_add(d->loop, &d->supervisor_watch, d->instance->supervisor_fd,
		                    EPOLLIN, on_supervisor, d);
	if (error)
		return error;
	listen_again(d);
	do_soon(d, ERRAND_LOOK);
	trails_start(d);
	pulse_begin(&d->pulse, d->loop, d->instance->supervisor_fd);
	return 0;
}

static void
finish(struct discovery *d)
{
	struct duplicate *duplicate, *next;

	if (d->new_settings) {
		settings_fini(d->new_settings);
		free(d->new_settings);
	}
	if (d->loop) {
		watch_stop(d);
		trails_stop(d);
	}
	pulse_end(&d->pulse);
	if (d->root)
		folders_stop(d);
	duplicate = d->duplicates;
	HASH_CLEAR(hh, d->duplicates);
	for (; duplicate; duplicate = next) {
		next = duplicate->hh.next;
		free(duplicate);
	}
	fd_close(&d->root_fd);
	free(d->close);
	free(d->runs);
	buses_stop(d);
	registry_writer_close(&d->writer);
	counters_close(&d->counters_map);
	loop_free(&d->loop);
}

int
discovery_main(struct instance *instance)
{
	struct discovery *d = calloc(1, sizeof(*d));
	int error = d ? 0 : -ENOMEM;

	if (d) {
		*d = (struct discovery){ .instance = instance, .root_fd = -1, .inotify_fd = -1 };
		error = start(d);
	}
	if (!error)
		error = loop_run(d->loop);
	if (error)
		log_error("discovery_failed", "error=\"%s\"", strerror(-error));
	if (d && errands_stop(d)) {
		finish(d);
		free(d);
	}
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
