/*
 * What a child inherits from the supervisor, all of it, in one place; and the board in shared
 * memory on which the supervisor (its only writer) says which processes are alive.
 */
#ifndef SHM_INSTANCE_H
#define SHM_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/settings.h"

enum { INSTANCE_WORKERS_MAX = 64 };

/* Descriptors are open in every child (CLOEXEC), -1 where unused. */
struct instance {
	struct settings settings; /* as of the fork */
	int runs_dir_fd;          /* O_PATH|O_DIRECTORY of storage.runs_dir, or -1 if it is missing */
	int state_dir_fd;         /* what is kept there outlives all processes; or -1 */
	int registry_fd;          /* read-write in discovery, read-only elsewhere */
	int buses_fd;             /* the registry of message buses, likewise */
	int board_fd;             /* read-only in children */
	int discovery_counters_fd; /* read-write in discovery, read-only elsewhere */
	int supervisor_counters_fd; /* read-only in children */
	int discovery_bell_fd;    /* bell.h: discovery's end, or the workers' */
	uint32_t worker_count;    /* places for workers, each with a socket; not all need be taken */
	int worker_bell_fds[INSTANCE_WORKERS_MAX]; /* eventfds: discovery rings them at changes */
	int occupancy_fds[INSTANCE_WORKERS_MAX];
	int counters_fds[INSTANCE_WORKERS_MAX];
	/* This child's own: */
	int supervisor_fd;        /* SOCK_SEQPACKET to the supervisor; its end means: drain and end */
	uint32_t worker_index;    /* from 0 */
	int clients_fd;           /* of a worker: who its clients are, read-write */
	int listen_fds[INSTANCE_WORKERS_MAX]; /* of a worker: the sockets, non-blocking */
	uint64_t listen_set;      /* on which of them (bit i: socket i) it accepts, to begin with */
};

/* The board. */
struct board;

int board_create(void); /* returns a memfd or -errno */
/* Maps it (borrows fd). 0 or -errno as registry_open(). Returns owned. */
int board_open(int fd, bool writable, struct board **ret_board);
void board_close(struct board **board);

enum { BOARD_DISCOVERY = 0, BOARD_PROCESSES = 1 + INSTANCE_WORKERS_MAX };

/*
 * pid 0: not running. Process BOARD_DISCOVERY is discovery, n + 1 is worker n; others are
 * ignored, and read as not running.
 */
void board_set(struct board *board, uint32_t process, pid_t pid);
pid_t board_pid(const struct board *board, uint32_t process);
/* A process took the place of one that ended by itself, or had to be killed. */
void board_count_restart(struct board *board, uint32_t process);
uint32_t board_restarts(const struct board *board, uint32_t process);
/* It took the place of one that was drained. */
void board_count_replacement(struct board *board, uint32_t process);
uint32_t board_replacements(const struct board *board, uint32_t process);

/* How many workers there are to be, or, while there are more, still are. */
void board_set_workers(struct board *board, uint32_t count);
uint32_t board_workers(const struct board *board);

#endif
