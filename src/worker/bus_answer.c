#include "worker/bus_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "shm/registry_bus.h"
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
	struct lookup *l;

	if (registry_bus_find(c->worker->buses, project, task, &bus) == 0 && !bus.is_deleted) {
		begin(c, &bus, start);
		return;
	}
	l = calloc(1, sizeof(*l));
	if (l) {
		l->start = *start;
		l->runs_dir_fd = c->worker->runs_dir_fd;
		registry_bus_init(&l->bus, project, task);
		l->bus.slot = CHANNEL_NO_SLOT;
		registry_bus_path(&l->bus, l->directory, sizeof(l->directory));
	}
	errand_begin(&l->errand, c, look, answer);
}
