#include "config.h"

#include "supervisor/status.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "shm/control.h"

static struct json_object *
describe(const struct pool *pool, uint32_t process)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, CONTROL_PID,
	                       json_object_new_int64(pool->children[process].pid));
	json_object_object_add(
		object, CONTROL_RESTARTS,
		json_object_new_int64(board_restarts(pool->parts.segments->board_map, process)));
	json_object_object_add(
		object, CONTROL_REPLACEMENTS,
		json_object_new_int64(board_replacements(pool->parts.segments->board_map, process)));
	json_object_object_add(object, CONTROL_STATE,
	                       json_object_new_string(pool_state(pool, process)));
	return object;
}

static void
add_fd(struct control_answer *answer, int fd)
{
	must(answer->fd_count < FD_PASS_MAX);
	answer->fds[answer->fd_count++] = fd;
}

void
status_fill(const struct pool *pool, int64_t started_ms, struct control_answer *answer)
{
	const struct segments *segments = pool->parts.segments;
	uint32_t worker_count = board_workers(segments->board_map);
	const struct settings *settings = pool->parts.settings;
	struct json_object *to = answer->object, *workers = json_object_new_array();

	json_object_object_add(to, CONTROL_VERSION, json_object_new_string(PACKAGE_VERSION));
	json_object_object_add(to, CONTROL_PID, json_object_new_int64(getpid()));
	json_object_object_add(to, CONTROL_UPTIME_MS,
	                       json_object_new_int64(clock_now_ms() - started_ms));
	json_object_object_add(to, CONTROL_RUNS_DIR,
	                       json_object_new_string(settings->storage.runs_dir));
	json_object_object_add(to, CONTROL_RUNTIME_DIR,
	                       json_object_new_string(settings->server.runtime_dir));
	json_object_object_add(to, CONTROL_DISCOVERY, describe(pool, BOARD_DISCOVERY));
	for (uint32_t i = 1; i <= worker_count; i++)
		json_object_array_add(workers, describe(pool, i));
	json_object_object_add(to, CONTROL_WORKERS, workers);
	json_object_object_add(to, CONTROL_SOCKETS,
	                       json_object_new_int64(pool->parts.sockets->count));

	_Static_assert(CONTROL_FD_REGISTRY == 0 && CONTROL_FD_BUSES == 1 && CONTROL_FD_BOARD == 2 &&
	               CONTROL_FD_DISCOVERY_COUNTERS == 3 && CONTROL_FD_SUPERVISOR_COUNTERS == 4 &&
	               CONTROL_FD_WORKERS == 5 && CONTROL_FD_OCCUPANCY == 0 &&
	               CONTROL_FD_COUNTERS == 1 && CONTROL_FD_CLIENTS == 2, "the order below");
	add_fd(answer, segments->registry.readable);
	add_fd(answer, segments->buses.readable);
	add_fd(answer, segments->board.readable);
	add_fd(answer, segments->discovery_counters.readable);
	add_fd(answer, segments->supervisor_counters.readable);
	for (uint32_t i = 0; i < worker_count; i++) {
		add_fd(answer, segments->occupancy[i].readable);
		add_fd(answer, segments->counters[i].readable);
		add_fd(answer, segments->clients[i].readable);
	}
}
