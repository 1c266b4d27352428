#include "worker/bus_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "model/bus_id.h"
#include "store/run_dir.h"
#include "worker/errand.h"
#include "worker/run_answer.h"
#include "worker/worker_state.h"

struct lookup {
	struct errand errand;
	struct registry_run bus;
	struct start start;
	int runs_dir_fd;
	char directory[CHANNEL_DIRECTORY_BYTES];
	int error;
};

static void
begin(struct connection *c, const struct registry_run *bus, const struct start *start)
{
	struct channel_request request = { .kind = &stream_kind_messages, .run = bus,
		                           .files = CHANNEL_FIRST };

	if (c->style.is_head)
		connection_answer(c, answer_stream(&c->style, 0));
	else if (connection_open_stream(c, false))
		connection_subscribe(c, &request, start);
}

static void
look(struct errand *errand)
{
	struct lookup *l = (struct lookup *)errand;
	int fd;

	l->error = run_dir_open(l->runs_dir_fd, l->directory, &fd);
	if (!l->error)
		fd_close(&fd);
}

static void
answer(struct errand *errand, struct connection *c)
{
	struct lookup *l = (struct lookup *)errand;

	if (l->error)
		run_answer_error(c, ANSWER_NOT_FOUND, "there is no such project or task");
	else
		begin(c, &l->bus, &l->start);
}

void
bus_answer(struct connection *c, const char *project, const char *task, const struct start *start)
{
	struct registry_run bus;
	char id[BUS_ID_BYTES + 1];
	struct lookup *l;

	bus_id_make(project, task, id);
	if (registry_find(c->worker->buses, id, &bus) == 0 && !bus.is_deleted &&
	    strcmp(bus.path_project, project) == 0 && strcmp(bus.path_task, task) == 0) {
		begin(c, &bus, start);
		return;
	}
	l = calloc(1, sizeof(*l));
	if (l) {
		l->start = *start;
		l->runs_dir_fd = c->worker->runs_dir_fd;
		l->bus.slot = CHANNEL_NO_SLOT;
		snprintf(l->bus.path_project, sizeof(l->bus.path_project), "%s", project);
		snprintf(l->bus.project_id, sizeof(l->bus.project_id), "%s", project);
		snprintf(l->bus.path_task, sizeof(l->bus.path_task), "%s", task);
		snprintf(l->bus.task_id, sizeof(l->bus.task_id), "%s", task);
		snprintf(l->directory, sizeof(l->directory), "%s%s%s", project, *task ? "/" : "", task);
	}
	errand_begin(&l->errand, c, look, answer);
}
