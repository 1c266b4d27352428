/*
 * The protocol of the control socket, <runtime_dir>/control.sock: a Unix socket of type
 * SOCK_SEQPACKET, mode 0600, which runstreamd serves and runstreamctl uses. One JSON object a
 * message, either way:
 *
 *     {"command":"status"}
 *     {"ok":true, …}    {"ok":false,"error":"sentence"}
 *
 * Names here are all that the two sides share.
 */
#ifndef SHM_CONTROL_H
#define SHM_CONTROL_H

#define CONTROL_SOCKET_NAME "control.sock"

enum { CONTROL_MESSAGE_BYTES = 96 * 1024 }; /* the longest message, either way */

/* A request's members. */
#define CONTROL_COMMAND "command"

/* Every answer's members. */
#define CONTROL_OK "ok"
#define CONTROL_ERROR "error"

/*
 * "status": what the supervisor knows. With the answer come descriptors (SCM_RIGHTS), read-only:
 * first those of enum control_fd, then, for each worker, its occupancy, its counters, its clients.
 */
#define CONTROL_COMMAND_STATUS "status"
#define CONTROL_VERSION "version"         /* string: the supervisor's */
#define CONTROL_PID "pid"
#define CONTROL_UPTIME_MS "uptime_ms"
#define CONTROL_RUNS_DIR "runs_dir"       /* string, absolute */
#define CONTROL_RUNTIME_DIR "runtime_dir" /* string, absolute */
#define CONTROL_DISCOVERY "discovery"     /* a process */
#define CONTROL_WORKERS "workers"         /* array of processes, worker 1 first */
#define CONTROL_SOCKETS "sockets"         /* listening sockets that the workers share */
/* A process: an object of pid (0: not running), and these. */
#define CONTROL_RESTARTS "restarts"       /* times that it ended by itself, and was started anew */
#define CONTROL_REPLACEMENTS "replacements" /* times that it was drained, and started anew */
#define CONTROL_STATE "state"             /* string: see pool_state() */

enum control_fd {
	CONTROL_FD_REGISTRY,
	CONTROL_FD_BUSES,
	CONTROL_FD_BOARD,
	CONTROL_FD_DISCOVERY_COUNTERS,
	CONTROL_FD_SUPERVISOR_COUNTERS,
	CONTROL_FD_WORKERS, /* + CONTROL_WORKER_FDS * n + one of these: of worker n (from 0) */
};

enum control_worker_fd {
	CONTROL_FD_OCCUPANCY,
	CONTROL_FD_COUNTERS,
	CONTROL_FD_CLIENTS,
	CONTROL_WORKER_FDS,
};

/*
 * "kick": has a client's stream ended. Refused when there is no such client, and when its worker
 * does not listen; otherwise the order is on its way.
 */
#define CONTROL_COMMAND_KICK "kick"
#define CONTROL_CLIENT "client" /* string: its name, see clients_name_parse() */

/*
 * "broadcast": has all who watch recorded events sent one that is not recorded. Answers with the
 * number of workers that were told, and of those that do not listen.
 */
#define CONTROL_COMMAND_BROADCAST "broadcast"
#define CONTROL_TYPE "type" /* string */
#define CONTROL_DATA "data" /* string: a JSON text, which is passed on as it stands; may be missing */
#define CONTROL_SILENT "silent"

/*
 * "reload": reads the configuration anew. Refused, with FILE:LINE:COLUMN and a sentence, when it
 * is bad: the old settings stay. Answers with the keys whose change waits for a restart.
 */
#define CONTROL_COMMAND_RELOAD "reload"
#define CONTROL_NEED_RESTART "need_restart" /* array of strings */

/*
 * "drain": has a worker, or all of them one after another, end their streams over a time, and be
 * replaced. Refused when there is no such worker; otherwise it has begun. It is over when the
 * worker has another pid and is running: see "status".
 */
#define CONTROL_COMMAND_DRAIN "drain"
#define CONTROL_WORKER "worker" /* number, from 1; missing: all */

/*
 * "stop": answers at once, then stops as SIGTERM does. The connection stays open meanwhile: its
 * end says that all is down.
 */
#define CONTROL_COMMAND_STOP "stop"

#endif
