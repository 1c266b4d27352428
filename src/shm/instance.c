#include "shm/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "shm/segment.h"

#define BOARD_MAGIC "RSboard\n"

enum { LAYOUT_VERSION = 2 };

struct layout {
	struct segment_prefix prefix;
	uint32_t workers; /* atomic */
	uint8_t padding[44];
	uint64_t processes[BOARD_PROCESSES]; /* atomic: pid << 32 | times it was started */
};
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

static uint64_t
read_process(const struct board *board, uint32_t process)
{
	if (process >= BOARD_PROCESSES)
		return 0;
	return __atomic_load_n(&board->layout->processes[process], __ATOMIC_ACQUIRE);
}

void
board_set(struct board *board, uint32_t process, pid_t pid)
{
	uint32_t starts = (uint32_t)read_process(board, process);

	if (process >= BOARD_PROCESSES)
		return;
	if (pid != 0)
		starts++;
	__atomic_store_n(&board->layout->processes[process],
	                 (uint64_t)(uint32_t)pid << 32 | starts, __ATOMIC_RELEASE);
}

pid_t
board_pid(const struct board *board, uint32_t process)
{
	return (pid_t)(read_process(board, process) >> 32);
}

uint32_t
board_restarts(const struct board *board, uint32_t process)
{
	uint32_t starts = (uint32_t)read_process(board, process);

	return starts > 0 ? starts - 1 : 0;
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
