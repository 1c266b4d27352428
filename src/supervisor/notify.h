/*
 * What a service manager is told, by the protocol of sd_notify(3): datagrams of VARIABLE=value
 * lines to the socket that NOTIFY_SOCKET names. Without one all of this does nothing.
 *
 * Of our own, as the manual page advises those who need no more of libsystemd than this.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>

#include "base/buf.h"

struct notify {
	int fd;              /* connected; -1: nobody asks */
	int64_t watchdog_ms; /* 0: none; else a sign of life is expected within this time */
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment (they are not for
 * those whom we start). Call it in the process that stays. 0, or -errno and a sentence if the
 * socket cannot be reached; ret_notify is then as if there were none.
 */
int notify_open(struct notify *ret_notify, struct buf *sentence);
void notify_close(struct notify *notify);

/* Sends lines, separated by newlines, as one message; waits at most a second for room. */
void notify_send(const struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "RELOADING=1" with the time at which it began, as Type=notify-reload wants it. */
void notify_reloading(const struct notify *notify);

#endif
