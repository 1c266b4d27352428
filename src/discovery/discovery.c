#include "discovery/discovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
	SLOTS_A_BELL = 64, /* that are asked for, looked at in one turn */
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

/* --- the root ----------------------------------------------------------------------------------- */

static int
open_root(const struct discovery *d)
{
	const char *path = d->instance->settings.storage.runs_dir;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && d->instance->runs_dir_fd >= 0)
		/* A folder above it may be closed to whom we have become: keep what root opened. */
		fd = fcntl(d->instance->runs_dir_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static bool
is_same_folder(int a, int b)
{
	struct stat st_a, st_b;

	return a >= 0 && b >= 0 && fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 &&
	       st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

static bool
is_empty(int folder_fd)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool found = false;

	if (!dir) {
		fd_close(&fd);
		return false;
	}
	while (!found && (entry = readdir(dir)) != NULL)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return !found;
}

/* Its runs stay known: a file system that is not mounted was not deleted. */
static void
wait_for_root(struct discovery *d, int error)
{
	const char *path = d->instance->settings.storage.runs_dir;

	fd_close(&d->root_fd);
	if (d->root_was_missing && (error != 0 || d->root_was_empty))
		return;
	d->counters->faults[COUNTERS_FAULT_RUNS_DIR]++;
	if (error)
		log_warning("runs_dir_missing", "path=\"%s\" error=\"%s\" hint=\"waiting for "
		            "it\"", path, strerror(-error));
	else
		log_warning("runs_dir_empty", "path=\"%s\" hint=\"taken for a place where nothing "
		            "is mounted, until something is in it\"", path);
	d->root_was_missing = true;
	d->root_was_empty = error == 0;
}

/* Whether there is a runs directory to look at. It may have come, gone, or be another one. */
static bool
check_root(struct discovery *d)
{
	const char *path = d->instance->settings.storage.runs_dir;
	int fd = open_root(d);

	if (fd < 0) {
		wait_for_root(d, fd);
		return false;
	}
	if (is_same_folder(fd, d->root_fd)) {
		fd_close(&fd);
		return true;
	}
	/* The one that we were started with, and had not opened ourselves, is none that came. */
	if ((registry_writer_has_runs(d->writer) || registry_writer_has_runs(d->bus_writer)) &&
	    !is_same_folder(fd, d->instance->runs_dir_fd) && is_empty(fd)) {
		fd_close(&fd);
		wait_for_root(d, 0);
		return false;
	}
	fd_close(&d->root_fd);
	d->root_fd = fd;
	log_info("runs_dir", "path=%s back=%s", path, d->root_was_missing ? "yes" : "no");
	d->root_was_missing = d->root_was_empty = false;
	watch_choose(d);
	d->must_list_all = true;
	return true;
}

/* --- looks -------------------------------------------------------------------------------------- */

static void hasten(struct discovery *d);

/* Somebody asks for what is new. */
static void
look_soon(struct discovery *d)
{
	if (d->bell_rung)
		return;
	d->bell_rung = true;
	hasten(d);
}

/* A run that is asked for is looked at at once: one that is over would be in the sweep alone, and
 * may have gone on. Returns how many were asked for. */
static size_t
answer_bell(struct discovery *d)
{
	uint32_t slots[SLOTS_A_BELL];
	size_t count = bell_read(d->instance->discovery_bell_fd, slots, SLOTS_A_BELL);

	for (size_t i = 0; i < count; i++) {
		if (slots[i] == BELL_NEW)
			look_soon(d);
		else if (slots[i] < registry_count(d->registry) && d->root_fd >= 0)
			runs_refresh(d, slots[i], false);
	}
	return count;
}

static void
look(struct discovery *d)
{
	bool forced = d->bell_rung;
	int64_t began_ns = clock_now_ns(), began_ms = began_ns / 1000000;

	d->bell_rung = false;
	registry_writer_look_begin(d->writer);
	if (check_root(d)) {
		bool retries = runs_retry(d);
		uint64_t refused = d->counters->faults[COUNTERS_FAULT_REGISTRY_FULL];

		watch_retry(d);
		hints_read(d);
		scan_folders(d, forced || !d->is_settled);
		/* Whoever rang before the look began has an answer when it is finished. */
		for (int i = 0; i < BELLS_A_LOOK && answer_bell(d) > 0; i++)
			;
		candidates_look(d, CANDIDATES_PER_LOOK);
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
	registry_writer_look_finish(d->writer);
	d->look_count++;
	d->look_began_ms = began_ms;
	d->look_ended_ms = clock_now_ms();
	/* The first is awaited also by those to whom it has nothing to say. */
	bells_ring(d, forced || bells_are_due(d) || d->look_count == 1);
}

static void timed_look(void *arg);

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
timed_look(void *arg)
{
	struct discovery *d = arg;
	int64_t interval_ms = d->instance->settings.api.sse.discovery_interval_ms;
	int64_t took_ms;

	look(d);
	tell_faults(d);
	took_ms = d->look_ended_ms - d->look_began_ms;
	/* From the beginning to the beginning; but a look that takes longer than the interval must
	 * not leave us with no time for anything else. */
	interval_ms -= took_ms;
	if (interval_ms < took_ms)
		interval_ms = took_ms;
	loop_timer_set(d->loop, &d->look_timer, interval_ms, timed_look, d);
	if (d->bell_rung) /* while it went on */
		hasten(d);
}

/* What is left is read in the next turn. */
static void
on_bell(void *arg, uint32_t events)
{
	struct discovery *d = arg;

	(void)events;
	answer_bell(d);
	publish_runs(d);
	bells_ring(d, bells_are_due(d)); /* whoever asked waits for it */
}

static void
on_inotify(void *arg, uint32_t events)
{
	struct discovery *d = arg;

	(void)events;
	if (d->root_fd >= 0)
		hints_read(d);
	publish_runs(d);
	bells_ring(d, bells_are_due(d));
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
	if (old.following.inotify != settings->following.inotify && d->root_fd >= 0) {
		watch_choose(d);
		d->must_list_all = true;
	}
	settings_fini(&old);
	/* With the new interval, and the new directory. */
	loop_timer_set(d->loop, &d->look_timer, 0, timed_look, d);
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
		if (order.kind == ORDER_SETTINGS) {
			take_settings(d, &order.settings);
			order.settings = (struct settings){ 0 };
		}
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
	d->on_inotify = on_inotify;
	watch_start(d);
	if (!error)
		error = fd_set_nonblocking(d->instance->discovery_bell_fd);
	if (!error)
		error = loop_fd_add(d->loop, &d->bell_watch, d->instance->discovery_bell_fd,
		                    EPOLLIN, on_bell, d);
	if (!error)
		error = loop_fd_add(d->loop, &d->supervisor_watch, d->instance->supervisor_fd,
		                    EPOLLIN, on_supervisor, d);
	if (error)
		return error;
	loop_timer_set(d->loop, &d->look_timer, 0, timed_look, d);
	trails_start(d);
	pulse_begin(&d->pulse, d->loop, d->instance->supervisor_fd);
	return 0;
}

static void
finish(struct discovery *d)
{
	struct duplicate *duplicate, *next;

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
	struct discovery d = { .instance = instance, .root_fd = -1, .inotify_fd = -1 };
	int error = start(&d);

	if (!error)
		error = loop_run(d.loop);
	if (error)
		log_error("discovery_failed", "error=\"%s\"", strerror(-error));
	finish(&d);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
