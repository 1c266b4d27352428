/*
 * A service manager's watchdog (WATCHDOG_USEC, sd_watchdog_enabled(3)): it is told that all is
 * well only while the supervisor's loop turns and no worker is silent. A worker that is silent
 * for half of the time is ended, so that it costs its own streams and not the service; the
 * manager ends the service only if that does not help. Discovery's
 * loop turns also while folders hang; if it should be silent, that does no harm to open streams: it
 * is logged, and nobody is ended for it.
 */
#ifndef SUPERVISOR_WATCHDOG_H
#define SUPERVISOR_WATCHDOG_H

#include "supervisor/notify.h"
#include "supervisor/pool.h"

/* Zero-initialised. */
struct watchdog {
	const struct notify *notify;
	struct pool *pool;
	struct loop_timer timer;
	bool discovery_is_silent;
};

/* Begins if notify (borrowed, as is pool) says that there is one. */
void watchdog_begin(struct watchdog *watchdog, const struct notify *notify, struct pool *pool);
void watchdog_end(struct watchdog *watchdog);

#endif
