#include "shm/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "shm/segment.h"

#define BOARD_MAGIC "RSboard\n"

enum { LAYOUT_VERSION = 3 };

/* All atomic. */
struct process {
	uint32_t pid, restarts, replacements, padding;
};

struct layout {
	struct segment_prefix prefix;
	uint32_t workers; /* atomic */
	uint8_t padding[44];
	struct process processes[BOARD_PROCESSES];
};
static_assert(sizeof(struct process) == 16, "layout");
static_assert(offsetof(struct layout, processes) == 64, "layout");

struct board {
	struct layout *layout;
	size_t bytes;
};

int
board_create(void)
{
	struct layout layout = { 0 };
	int fd, error;

	fd = segment_create("runstream-board", sizeof(layout));
	if (fd < 0)
		return fd;
	error = segment_begin(fd, BOARD_MAGIC, LAYOUT_VERSION, &layout, sizeof(layout));
	if (error) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

int
board_open(int fd, bool writable, struct board **ret_board)
{
	struct board *board = calloc(1, sizeof(*board));
	void *memory;
	int error;

	if (!board)
		return -ENOMEM;
	error = segment_map(fd, writable, BOARD_MAGIC, LAYOUT_VERSION, sizeof(struct layout),
	                    &memory, &board->bytes);
	if (error) {
		free(board);
		return error;
	}
	board->layout = memory;
	*ret_board = board;
	return 0;
}

void
board_close(struct board **board)
{
	if (!*board)
		return;
	munmap((*board)->layout, (*board)->bytes);
	free(*board);
	*board = NULL;
}

void
board_set(struct board *board, uint32_t process, pid_t pid)
{
	if (process < BOARD_PROCESSES)
		__atomic_store_n(&board->layout->processes[process].pid, (uint32_t)pid,
		                 __ATOMIC_RELEASE);
}

pid_t
board_pid(const struct board *board, uint32_t process)
{
	if (process >= BOARD_PROCESSES)
		return 0;
	return (pid_t)__atomic_load_n(&board->layout->processes[process].pid, __ATOMIC_ACQUIRE);
}

void
board_count_restart(struct board *board, uint32_t process)
{
	if (process < BOARD_PROCESSES)
		__atomic_fetch_add(&board->layout->processes[process].restarts, 1, __ATOMIC_RELAXED);
}

uint32_t
board_restarts(const struct board *board, uint32_t process)
{
	if (process >= BOARD_PROCESSES)
		return 0;
	return __atomic_load_n(&board->layout->processes[process].restarts, __ATOMIC_RELAXED);
}

void
board_count_replacement(struct board *board, uint32_t process)
{
	if (process < BOARD_PROCESSES)
		__atomic_fetch_add(&board->layout->processes[process].replacements, 1,
		                   __ATOMIC_RELAXED);
}

uint32_t
board_replacements(const struct board *board, uint32_t process)
{
	if (process >= BOARD_PROCESSES)
		return 0;
	return __atomic_load_n(&board->layout->processes[process].replacements, __ATOMIC_RELAXED);
}

void
board_set_workers(struct board *board, uint32_t count)
{
	__atomic_store_n(&board->layout->workers, count, __ATOMIC_RELEASE);
}

uint32_t
board_workers(const struct board *board)
{
	uint32_t count = __atomic_load_n(&board->layout->workers, __ATOMIC_ACQUIRE);

	return count < INSTANCE_WORKERS_MAX ? count : INSTANCE_WORKERS_MAX;
}
