#include "config.h"

#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/conf.h"
#include "discovery/discovery.h"
#include "shm/control.h"
#include "shm/counters.h"
#include "supervisor/client_orders.h"
#include "supervisor/control.h"
#include "supervisor/daemonize.h"
#include "supervisor/health.h"
#include "supervisor/notify.h"
#include "supervisor/options.h"
#include "supervisor/pool.h"
#include "supervisor/privileges.h"
#include "supervisor/reload.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/sandbox.h"
#include "supervisor/segments.h"
#include "supervisor/sockets.h"
#include "supervisor/state_dir.h"
#include "supervisor/status.h"
#include "supervisor/watchdog.h"
#include "worker/worker.h"

enum { EXIT_MISUSED = 2 };

struct supervisor {
	struct conf_sources sources;
	struct settings settings; /* as of now */
	struct privileges privileges;
	int lock_fd, state_dir_fd;
	int control_fd; /* a service manager's, or -1 */
	int64_t started_ms;
	struct loop *loop;
	struct sockets sockets;
	struct segments segments;
	struct pool pool;
	struct control *control;
	struct notify notify;
	struct watchdog watchdog;
	bool is_up; /* all children have been heard of */
};

/* --- what a service manager is told --------------------------------------------------------------- */

static void
tell_state(const struct supervisor *supervisor)
{
	notify_send(&supervisor->notify, "READY=1\nSTATUS=Streaming with %jd workers from %s.",
	            (intmax_t)supervisor->settings.server.workers,
	            supervisor->settings.storage.runs_dir);
}

/* The workers listen, and discovery has begun to look. */
static void
handle_child_up(void *arg)
{
	struct supervisor *supervisor = arg;

	if (supervisor->is_up || supervisor->pool.is_stopping ||
	    !health_all_are_up(&supervisor->pool))
		return;
	supervisor->is_up = true;
	log_info("up", "after_ms=%jd", (intmax_t)(clock_now_ms() - supervisor->started_ms));
	tell_state(supervisor);
}

/* --- reload ----------------------------------------------------------------------------------- */

static int
reload(struct supervisor *supervisor, struct json_object *waiting, struct buf *sentence)
{
	struct reload what = {
		.sources = &supervisor->sources,
		.settings = &supervisor->settings,
		.pool = &supervisor->pool,
		.counters = counters_own(supervisor->segments.own_counters),
		.places = supervisor->sockets.count,
	};
	int error;

	notify_reloading(&supervisor->notify);
	error = reload_settings(&what, waiting, sentence);
	/* READY also then: it is as ready as before. */
	if (error)
		notify_send(&supervisor->notify, "READY=1\nSTATUS=Not reloaded: %s",
		            buf_string(sentence));
	else
		tell_state(supervisor);
	return error;
}

static void
handle_hangup(void *arg, int signal_number)
{
	struct buf sentence = BUF_INIT;

	(void)signal_number;
	reload(arg, NULL, &sentence);
	buf_fini(&sentence);
}

/* --- stopping --------------------------------------------------------------------------------- */

/* A second time is not waited any longer. */
static void
stop(struct supervisor *supervisor)
{
	int64_t most_ms = supervisor->settings.server.drain_ms + 2 * POOL_KILL_AFTER_MS;

	if (!supervisor->pool.is_stopping)
		notify_send(&supervisor->notify,
		            "STOPPING=1\nEXTEND_TIMEOUT_USEC=%jd\nSTATUS=Ending streams.",
		            (intmax_t)most_ms * 1000);
	pool_stop(&supervisor->pool);
}

static void
handle_stop(void *arg, int signal_number)
{
	log_info("stopping", "signal=%d", signal_number);
	stop(arg);
}

static void
handle_down(void *arg)
{
	struct supervisor *supervisor = arg;

	loop_stop(supervisor->loop);
}

/* --- commands --------------------------------------------------------------------------------- */

static int
command_status(void *arg, struct control_answer *answer)
{
	struct supervisor *supervisor = arg;

	status_fill(&supervisor->pool, supervisor->started_ms, answer);
	return 0;
}

static int
command_reload(void *arg, struct control_answer *answer)
{
	struct json_object *waiting = json_object_new_array();

	json_object_object_add(answer->object, CONTROL_NEED_RESTART, waiting);
	return reload(arg, waiting, &answer->sentence);
}

static int
command_drain(void *arg, struct control_answer *answer)
{
	struct supervisor *supervisor = arg;
	struct json_object *worker;
	int64_t number = POOL_ALL_WORKERS;
	int error;

	if (json_object_object_get_ex(answer->request, CONTROL_WORKER, &worker)) {
		number = json_object_is_type(worker, json_type_int) ? json_object_get_int64(worker) : -1;
		if (number < 1 || number > INSTANCE_WORKERS_MAX)
			number = INSTANCE_WORKERS_MAX + 1;
	}
	error = pool_drain(&supervisor->pool, (uint32_t)number);
	if (error == -ENOENT)
		buf_puts(&answer->sentence, "there is no such worker");
	else if (error)
		buf_puts(&answer->sentence, "the instance is stopping");
	return error;
}

static int
command_stop(void *arg, struct control_answer *answer)
{
	struct supervisor *supervisor = arg;

	(void)answer;
	/* Asking twice is no reason for haste, as a second signal is. */
	if (supervisor->pool.is_stopping)
		return 0;
	log_info("stopping", "command=" CONTROL_COMMAND_STOP);
	stop(supervisor);
	return 0;
}

static int
command_kick(void *arg, struct control_answer *answer)
{
	struct supervisor *supervisor = arg;

	return client_orders_kick(&supervisor->pool, answer);
}

static int
command_broadcast(void *arg, struct control_answer *answer)
{
	struct supervisor *supervisor = arg;

	return client_orders_broadcast(&supervisor->pool, answer);
}

static const struct control_command commands[] = {
	{ CONTROL_COMMAND_STATUS, command_status },
	{ CONTROL_COMMAND_KICK, command_kick },
	{ CONTROL_COMMAND_BROADCAST, command_broadcast },
	{ CONTROL_COMMAND_RELOAD, command_reload },
	{ CONTROL_COMMAND_DRAIN, command_drain },
	{ CONTROL_COMMAND_STOP, command_stop },
};

/* --- coming up -------------------------------------------------------------------------------- */

/* A worker needs a descriptor for each client, and nginx brings thousands. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("file_limit", "error=\"%s\"", strerror(errno));
}

static int
make_sockets(struct supervisor *supervisor, struct buf *sentence)
{
	const struct settings *settings = &supervisor->settings;

	if (supervisor->sockets.outlive_us)
		return 0;
	return sockets_make(settings->server.runtime_dir, settings_sockets(settings),
	                    (mode_t)strtol(settings->server.socket_mode, NULL, 8),
	                    supervisor->privileges.socket_group, &supervisor->sockets, sentence);
}

static int
serve_control(struct supervisor *supervisor, struct buf *sentence)
{
	char path[SETTINGS_TEXT_BYTES + sizeof("/" CONTROL_SOCKET_NAME)];
	int error, fd = supervisor->control_fd;

	if (fd < 0) {
		snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME,
		         supervisor->settings.server.runtime_dir);
		fd = sockets_listen(path, SOCK_SEQPACKET, 0600, (gid_t)-1, sentence);
	}
	if (fd < 0)
		return fd;
	error = control_new(supervisor->loop, fd, commands, sizeof(commands) / sizeof(commands[0]),
	                    supervisor, &supervisor->control);
	if (error)
		fd_close(&fd);
	return error;
}

static int
start_pool(struct supervisor *supervisor)
{
	struct pool_parts parts = {
		.loop = supervisor->loop,
		.settings = &supervisor->settings,
		.segments = &supervisor->segments,
		.sockets = &supervisor->sockets,
		.privileges = &supervisor->privileges,
		.lock_fd = supervisor->lock_fd,
		.state_dir_fd = supervisor->state_dir_fd,
		.discovery_main = discovery_main,
		.worker_main = worker_main,
		.down = handle_down,
		.child_up = handle_child_up,
		.arg = supervisor,
	};

	return pool_init(&supervisor->pool, &parts);
}

static void
measure_turn(void *arg, int64_t took_ns)
{
	struct counters_values *counters = arg;

	counters_observe(&counters->loop_turn_us, took_ns / 1000);
	log_tick();
	counters->log_lines_dropped = log_figures().dropped;
	counters->log_lines_summarised = log_figures().summarised;
}

/* The configuration that it came up with was good. */
static void
begin_counting(struct supervisor *supervisor)
{
	struct counters_values *counters = counters_own(supervisor->segments.own_counters);

	counters->last_reload_ok = 1;
	loop_measure(supervisor->loop, measure_turn, counters);
}

static int
handle_signals(struct supervisor *supervisor)
{
	int error = loop_signal_add(supervisor->loop, SIGTERM, handle_stop, supervisor);

	if (!error)
		error = loop_signal_add(supervisor->loop, SIGINT, handle_stop, supervisor);
	if (!error)
		error = loop_signal_add(supervisor->loop, SIGHUP, handle_hangup, supervisor);
	return error;
}

/* All is made that is made once: what comes is to answer, to read the configuration, and to start
 * children and see them end. */
static int
confine(const struct supervisor *supervisor)
{
	struct sandbox sandbox = { .role = SANDBOX_SUPERVISOR, .runs_dir_fd = -1, .state_dir_fd = -1,
		                   .changes_user = supervisor->privileges.changes_user };
	struct sandbox_state state;

	if (!supervisor->settings.server.sandbox || !sandbox_is_built())
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return sandbox_enter(&sandbox, &state);
}

/* In this order: the lock before anything that it guards, the sockets before who serves them. */
static int
come_up(struct supervisor *supervisor, struct buf *sentence)
{
	const struct settings *settings = &supervisor->settings;
	const char *directory = settings->server.runtime_dir;
	int error = runtime_dir_make(directory, sentence);

	if (!error)
		error = runtime_dir_lock(directory, settings->server.drain_ms + 2 * POOL_KILL_AFTER_MS,
		                         &supervisor->lock_fd, sentence);
	if (error)
		return error;
	runtime_dir_clear(directory, supervisor->control_fd < 0,
	                  !supervisor->sockets.outlive_us);
	error = make_sockets(supervisor, sentence);
	if (!error)
		error = state_dir_open(settings, &supervisor->privileges, &supervisor->state_dir_fd, sentence);
	if (!error)
		error = segments_make(settings, supervisor->sockets.count, &supervisor->segments,
		                      sentence);
	if (!error)
		error = loop_new(&supervisor->loop);
	if (!error) {
		begin_counting(supervisor);
		error = handle_signals(supervisor);
	}
	if (!error)
		error = serve_control(supervisor, sentence);
	if (!error)
		error = confine(supervisor);
	if (!error)
		error = start_pool(supervisor);
	if (!error)
		watchdog_begin(&supervisor->watchdog, &supervisor->notify, &supervisor->pool);
	if (!error)
		error = runtime_dir_write_pid(directory, sentence);
	return error;
}

static void
go_down(struct supervisor *supervisor)
{
	const char *directory = supervisor->settings.server.runtime_dir;

	watchdog_end(&supervisor->watchdog);
	if (supervisor->pool.count > 0)
		pool_fini(&supervisor->pool);
	if (supervisor->lock_fd >= 0)
		runtime_dir_clear(directory, supervisor->control_fd < 0,
		                  !supervisor->sockets.outlive_us);
	sockets_close(&supervisor->sockets);
	if (supervisor->segments.worker_count > 0)
		segments_close(&supervisor->segments);
	fd_close(&supervisor->state_dir_fd);
	runtime_dir_unlock(directory, &supervisor->lock_fd);
	/* Last: whoever waits for the end of "stop" may start the next instance at once. */
	control_free(&supervisor->control);
	loop_free(&supervisor->loop);
}

static int
serve(struct supervisor *supervisor, int ready_fd)
{
	struct buf sentence = BUF_INIT;
	int error;

	supervisor->started_ms = clock_now_ms();
	raise_file_limit();
	/* Who started us expects to hear: without that it would end us in a while. */
	error = notify_open(&supervisor->notify, &sentence);
	if (!error)
		error = come_up(supervisor, &sentence);
	if (!error) {
		log_info("ready", "version=%s runtime_dir=\"%s\" runs_dir=\"%s\" workers=%jd",
		         PACKAGE_VERSION, supervisor->settings.server.runtime_dir,
		         supervisor->settings.storage.runs_dir,
		         (intmax_t)supervisor->settings.server.workers);
		daemonize_ready(&ready_fd);
		error = loop_run(supervisor->loop);
	}
	if (error)
		fprintf(stderr, "runstreamd: %s\n",
		        sentence.length_bytes > 0 ? buf_string(&sentence) : strerror(-error));
	if (error)
		notify_send(&supervisor->notify, "STATUS=Failed: %s\nERRNO=%d",
		            sentence.length_bytes > 0 ? buf_string(&sentence) : strerror(-error), -error);
	go_down(supervisor);
	notify_close(&supervisor->notify);
	if (!error)
		log_info("stopped", "uptime_ms=%jd",
		         (intmax_t)(clock_now_ms() - supervisor->started_ms));
	buf_fini(&sentence);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- the program ------------------------------------------------------------------------------ */

/* What the configuration names beyond itself. */
static int
check_surroundings(struct supervisor *supervisor, struct buf *sentence)
{
	int64_t workers = supervisor->settings.server.workers;
	int error = privileges_find(&supervisor->settings, &supervisor->privileges, sentence);

	if (!error)
		error = sockets_take(&supervisor->sockets, &supervisor->control_fd, sentence);
	if (error)
		return error;
	if (supervisor->sockets.outlive_us && supervisor->sockets.count < workers) {
		buf_printf(sentence, "LISTEN_FDS: %u sockets for %jd workers (server.workers)",
		           supervisor->sockets.count, (intmax_t)workers);
		return -EINVAL;
	}
	return 0;
}

/* With the settings loaded. */
static int
run(struct supervisor *supervisor, const struct options *options)
{
	struct buf sentence = BUF_INIT;
	int ready_fd = -1, error = check_surroundings(supervisor, &sentence);

	if (!error && !options->test && !options->foreground)
		error = daemonize_begin(&ready_fd);
	if (error)
		fprintf(stderr, "runstreamd: %s\n",
		        sentence.length_bytes > 0 ? buf_string(&sentence) : strerror(-error));
	buf_fini(&sentence);
	if (error)
		return EXIT_FAILURE;
	if (options->test) {
		const char *file = conf_file(&supervisor->sources);

		fprintf(stderr, "runstreamd: the configuration is good (%s)\n",
		        file ? file : "there is no file");
		return EXIT_SUCCESS;
	}
	reload_log_level(&supervisor->settings);
	if (geteuid() == 0 && !supervisor->privileges.changes_user)
		log_warning("runs_as_root", "hint=\"all processes stay root: set server.user\"");
	return serve(supervisor, ready_fd);
}

int
supervisor_main(int argc, char **argv)
{
	struct supervisor supervisor = { .lock_fd = -1, .state_dir_fd = -1, .control_fd = -1,
		                         .notify = { .fd = -1 } };
	char error_text[CONF_ERROR_BYTES];
	struct options options;
	char *directory;
	int error, status;

	if (options_parse(argc, argv, &options))
		return EXIT_MISUSED;
	if (options.help || options.version) {
		if (options.help)
			options_print_help(stdout);
		else
			puts("runstreamd (" PACKAGE_NAME ") " PACKAGE_VERSION);
		if (fflush(stdout) == 0)
			return EXIT_SUCCESS;
		perror("runstreamd: cannot write the answer");
		return EXIT_FAILURE;
	}
	log_set_process("supervisor");
	log_never_wait();
	signal(SIGPIPE, SIG_IGN);
	directory = getcwd(NULL, 0);
	supervisor.sources = (struct conf_sources){ .file = options.file, .environment = environ,
		                                    .flags = options.flags,
		                                    .flag_count = OPTIONS_FLAGS,
		                                    .directory = directory };
	error = conf_load(&supervisor.sources, &supervisor.settings, error_text);
	if (error) {
		fprintf(stderr, "runstreamd: %s\n", error_text);
		free(directory);
		return error == -EDOM ? EXIT_MISUSED : EXIT_FAILURE;
	}
	status = run(&supervisor, &options);
	settings_fini(&supervisor.settings);
	free(directory);
	return status;
}
