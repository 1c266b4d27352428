#include "worker/troubles.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/episode.h"
#include "base/log.h"
#include "worker/worker_state.h"

struct troubles {
	struct episode looks, reads, inotify, overflows, helpers;
	uint64_t stuck_seen; /* how often helpers were found stuck */
};

struct troubles *
troubles_new(void)
{
	return calloc(1, sizeof(struct troubles));
}

void
troubles_free(struct troubles **troubles)
{
	free(*troubles);
	*troubles = NULL;
}

static void
tell(struct episode *episode, uint64_t count, const char *event, const char *error, const char *hint)
{
	uint64_t times;

	switch (episode_look(episode, count, clock_now_ms(), &times)) {
	case EPISODE_NOTHING:
		break;
	case EPISODE_BEGAN:
	case EPISODE_GOES_ON:
		log_warning(event, "error=\"%s\" times=%ju hint=\"%s\"", error, (uintmax_t)times, hint);
		break;
	case EPISODE_IS_OVER:
		log_info(event, "over=1 times=%ju lasted_ms=%jd", (uintmax_t)times,
		         (intmax_t)(episode->last_ms - episode->began_ms));
		break;
	}
}

void
troubles_refresh(struct troubles *t, struct worker *worker)
{
	struct followers_figures figures = followers_figures(worker->hub->followers);
	size_t stuck = offload_stuck(worker->offload);

	tell(&t->looks, figures.looks_failed, "file_unreachable", strerror(figures.look_error),
	     "what cannot be looked at or opened is tried again at each look");
	tell(&t->reads, worker->hub->reads_failed, "read_failed", strerror(worker->hub->read_error),
	     "what cannot be read is tried again after a look");
	tell(&t->inotify, figures.inotify_refused, "inotify_refused", strerror(figures.inotify_error),
	     "files are polled until it can be had: see fs.inotify.max_user_watches and _instances");
	tell(&t->overflows, figures.inotify_overflows, "inotify_overflow", "queue full",
	     "all that is followed is looked at");
	if (stuck > 0)
		t->stuck_seen++;
	tell(&t->helpers, t->stuck_seen, "helpers_stuck", "no answer from a file system",
	     "what lies there is delayed; others take the place of the threads that wait");
}
