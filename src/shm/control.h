/*
 * The words of the control socket, which the supervisor serves and runstreamctl uses.
 *
 * <runtime-dir>/control.sock is a SOCK_SEQPACKET Unix socket, mode 0600. One JSON object is one
 * message, at most CONTROL_MESSAGE_BYTES. A request names a command:
 *
 *	{"command":"status"}
 *
 * and is answered by one message, {"ok":true, …} or {"ok":false,"error":"a sentence"}.
 *
 * status: the answer carries
 *	{"ok":true,"version":"0.1.0","pid":1,"uptime_ms":5,"runs_dir":"…","runtime_dir":"…",
 *	 "discovery":{"pid":2,"restarts":0,"state":"running"},
 *	 "workers":[{"pid":3,"restarts":0,"state":"running"}, …]}
 *   and, as SCM_RIGHTS in this order, read-only descriptors of the registry, the board, and of
 *   each worker its occupancy and its counters. pid 0: not running.
 * reload: answered when the settings were read; on a mistake the error begins with
 *   file:line:column, and the old settings stay.
 * stop: answered at once; then everything stops as on SIGTERM, and the end of the socket says
 *   that all is down.
 */
#ifndef SHM_CONTROL_H
#define SHM_CONTROL_H

#define CONTROL_SOCKET_NAME "control.sock"

enum { CONTROL_MESSAGE_BYTES = 64 * 1024 };

#define CONTROL_COMMAND "command"
#define CONTROL_COMMAND_STATUS "status"
#define CONTROL_COMMAND_RELOAD "reload"
#define CONTROL_COMMAND_STOP "stop"

#define CONTROL_OK "ok"
#define CONTROL_ERROR "error"

/* The answer to status. */
#define CONTROL_VERSION "version"
#define CONTROL_PID "pid"
#define CONTROL_UPTIME_MS "uptime_ms"
#define CONTROL_RUNS_DIR "runs_dir"
#define CONTROL_RUNTIME_DIR "runtime_dir"
#define CONTROL_DISCOVERY "discovery"
#define CONTROL_WORKERS "workers"
#define CONTROL_RESTARTS "restarts"
#define CONTROL_STATE "state"

/* Places of the descriptors that come with it. */
enum {
	CONTROL_FD_REGISTRY,
	CONTROL_FD_BOARD,
	CONTROL_FD_FIRST_WORKER,  /* occupancy, then counters, of each */
	CONTROL_FDS_PER_WORKER = 2,
};

#endif
