#include "worker/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "worker/connection.h"
#include "worker/troubles.h"
#include "worker/worker_state.h"

enum {
	ACCEPTS_A_TURN = 64,
	ACCEPT_AGAIN_MS = 100,
};

struct listener {
	struct listeners *owner;
	struct loop_fd watch;
};

struct listeners {
	struct worker *worker;
	uint32_t count;
	uint64_t set;
	bool is_resting; /* after a failure to accept */
	struct loop_timer timer;
	struct listener each[INSTANCE_WORKERS_MAX];
};

static void
watch_chosen(struct listeners *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		loop_fd_change(l->worker->loop, &l->each[i].watch,
		               l->set >> i & 1 && !l->is_resting ? EPOLLIN : 0);
}

static void
go_on(void *arg)
{
	struct listeners *l = arg;

	l->is_resting = false;
	watch_chosen(l);
}

/* Out of descriptors or memory: those who wait in the queues go on waiting. */
static void
rest(struct listeners *l, int error)
{
	troubles_accept_failed(l->worker, error);
	l->is_resting = true;
	watch_chosen(l);
	loop_timer_set(l->worker->loop, &l->timer, ACCEPT_AGAIN_MS, go_on, l);
}

static void
on_connection(void *arg, uint32_t events)
{
	const struct listener *listener = arg;
	struct listeners *l = listener->owner;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_new(l->worker, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		rest(l, errno);
		return;
	}
}

int
listeners_new(struct worker *worker, const struct instance *instance,
              struct listeners **ret_listeners)
{
	struct listeners *l = calloc(1, sizeof(*l));
	int error = 0;

	if (!l)
		return -ENOMEM;
	l->worker = worker;
	l->set = instance->listen_set;
	for (; !error && l->count < instance->worker_count; l->count++) {
		struct listener *listener = &l->each[l->count];

		listener->owner = l;
		error = loop_fd_add(worker->loop, &listener->watch, instance->listen_fds[l->count],
		                    0, on_connection, listener);
		if (error)
			break;
	}
	if (error) {
		listeners_free(&l);
		return error;
	}
	watch_chosen(l);
	*ret_listeners = l;
	return 0;
}

void
listeners_free(struct listeners **listeners)
{
	struct listeners *l = *listeners;

	if (!l)
		return;
	for (uint32_t i = 0; i < l->count; i++)
		loop_fd_remove(l->worker->loop, &l->each[i].watch);
	loop_timer_stop(l->worker->loop, &l->timer);
	free(l);
	*listeners = NULL;
}

void
listeners_choose(struct listeners *l, uint64_t set)
{
	l->set = set;
	watch_chosen(l);
}
