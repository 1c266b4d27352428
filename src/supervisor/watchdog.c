#include "supervisor/watchdog.h"

#include <signal.h>

#include "base/log.h"
#include "supervisor/health.h"

/* Of the manager's time: how often is looked, and for how long a child may be silent. */
enum { LOOKS = 4, SILENT_SHARE = 2 };

/* First so that it leaves a core, if cores are wanted; if that did not help, in any case. */
static void
end_silent(struct child *child, int64_t silent_ms)
{
	int signal_number = child->was_aborted ? SIGKILL : SIGABRT;

	log_error("child_silent", "process=%s child_pid=%d silent_ms=%jd signal=%d", child->name,
	          (int)child->pid, (intmax_t)silent_ms, signal_number);
	kill(child->pid, signal_number);
	child->was_aborted = true;
}

static bool
workers_are_well(struct watchdog *watchdog)
{
	int64_t limit_ms = watchdog->notify->watchdog_ms / SILENT_SHARE;
	bool are_well = true;

	for (uint32_t i = 0; i < watchdog->pool->count; i++) {
		struct child *child = &watchdog->pool->children[i];
		int64_t silent_ms = health_silent_ms(child);

		if (child->process == BOARD_DISCOVERY) {
			if (silent_ms >= limit_ms && !watchdog->discovery_is_silent)
				log_warning("child_silent", "process=%s child_pid=%d silent_ms=%jd",
				            child->name, (int)child->pid, (intmax_t)silent_ms);
			watchdog->discovery_is_silent = silent_ms >= limit_ms;
		} else if (silent_ms >= limit_ms) {
			end_silent(child, silent_ms);
			are_well = false;
		}
	}
	return are_well;
}

static void
look(void *arg)
{
	struct watchdog *watchdog = arg;

	if (workers_are_well(watchdog))
		notify_send(watchdog->notify, "WATCHDOG=1");
	loop_timer_set(watchdog->pool->parts.loop, &watchdog->timer,
	               watchdog->notify->watchdog_ms / LOOKS, look, watchdog);
}

void
watchdog_begin(struct watchdog *watchdog, const struct notify *notify, struct pool *pool)
{
	if (notify->watchdog_ms <= 0)
		return;
	watchdog->notify = notify;
	watchdog->pool = pool;
	look(watchdog);
}

void
watchdog_end(struct watchdog *watchdog)
{
	if (watchdog->pool)
		loop_timer_stop(watchdog->pool->parts.loop, &watchdog->timer);
}
