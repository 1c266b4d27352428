#include "admin/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "shm/control.h"

static int
map_workers(struct view *view)
{
	const struct client_answer *answer = &view->answer;
	int r = 0;

	for (size_t at = CONTROL_FD_WORKERS; r == 0 && at + CONTROL_WORKER_FDS <= answer->fd_count &&
	                                     view->worker_count < INSTANCE_WORKERS_MAX;
	     at += CONTROL_WORKER_FDS) {
		const int *fds = &answer->fds[at];
		uint32_t worker = view->worker_count++;

		r = occupancy_open(fds[CONTROL_FD_OCCUPANCY], false, &view->workers[worker].occupancy);
		if (r == 0)
			r = counters_open(fds[CONTROL_FD_COUNTERS], false, &view->workers[worker].counters);
		if (r == 0)
			r = clients_open(fds[CONTROL_FD_CLIENTS], false, &view->workers[worker].clients);
	}
	return r;
}

int
view_new(const char *runtime_dir, struct view **ret_view)
{
	struct view *view = calloc(1, sizeof(*view));
	int r;

	if (!view)
		return command_failed("out of memory");
	if (client_ask(runtime_dir, CONTROL_COMMAND_STATUS, NULL, NULL, &view->answer) != 0) {
		free(view);
		return COMMAND_FAILED;
	}
	r = view->answer.fd_count < CONTROL_FD_WORKERS ? -EPROTO : 0;
	if (r == 0)
		r = registry_open(view->answer.fds[CONTROL_FD_REGISTRY], &view->registry);
	if (r == 0)
		r = registry_open(view->answer.fds[CONTROL_FD_BUSES], &view->buses);
	if (r == 0)
		r = board_open(view->answer.fds[CONTROL_FD_BOARD], false, &view->board);
	if (r == 0)
		r = counters_open(view->answer.fds[CONTROL_FD_DISCOVERY_COUNTERS], false,
		                  &view->discovery_counters);
	if (r == 0)
		r = counters_open(view->answer.fds[CONTROL_FD_SUPERVISOR_COUNTERS], false,
		                  &view->supervisor_counters);
	if (r == 0)
		r = map_workers(view);
	if (r < 0) {
		view_free(&view);
		if (r == -EPROTO || r == -EPROTONOSUPPORT)
			return command_failed("the instance at %s is of another version: its shared memory has "
			                      "a layout that this runstreamctl does not know", runtime_dir);
		return command_failed("cannot map the shared memory of the instance at %s: %s", runtime_dir,
		                      strerror(-r));
	}
	*ret_view = view;
	return 0;
}

int
view_of_call(const struct call *call, struct settings *ret_settings, struct view **ret_view)
{
	struct settings settings;
	int status;

	if (call_settings(call, &settings) < 0)
		return COMMAND_FAILED;
	status = view_new(settings.server.runtime_dir, ret_view);
	if (status == 0 && ret_settings)
		*ret_settings = settings;
	else
		settings_fini(&settings);
	return status;
}

void
view_free(struct view **view)
{
	struct view *v = *view;

	if (!v)
		return;
	for (uint32_t i = 0; i < v->worker_count; i++) {
		occupancy_close(&v->workers[i].occupancy);
		counters_close(&v->workers[i].counters);
		clients_close(&v->workers[i].clients);
	}
	counters_close(&v->supervisor_counters);
	counters_close(&v->discovery_counters);
	board_close(&v->board);
	registry_close(&v->buses);
	registry_close(&v->registry);
	client_answer_fini(&v->answer);
	free(v);
	*view = NULL;
}

bool
view_worker_lives(const struct view *view, uint32_t worker)
{
	return worker < view->worker_count && board_pid(view->board, worker + 1) != 0;
}

uint64_t
view_clients(const struct view *view, uint32_t slot)
{
	uint64_t clients = 0;

	for (uint32_t i = 0; i < view->worker_count; i++)
		if (view_worker_lives(view, i))
			clients += occupancy_of_run(view->workers[i].occupancy, slot);
	return clients;
}
