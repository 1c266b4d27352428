/*
 * How many lines an event may write: a burst in a window of time, the rest is counted. A table of
 * fixed size, by event.
 */
#ifndef BASE_LOG_FLOOD_H
#define BASE_LOG_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* An event, as long as its window lasts. */
struct log_flood_event {
	const char *event; /* borrowed: a literal; NULL: free */
	enum log_level level;
	int64_t began_ms;
	uint64_t lines; /* in this window, those that were not written included */
};

struct log_flood {
	struct log_flood_event events[LOG_EVENTS_MAX];
	int64_t next_end_ms; /* no window ends before; INT64_MAX: there is nothing to tell */
};

void log_flood_init(struct log_flood *flood);

/* Whether one more line may be written now (monotonic time). Windows that are over must have been
 * taken before. */
bool log_flood_admits(struct log_flood *flood, enum log_level level, const char *event,
                      int64_t now_ms);

/* Takes one whose window is over, with how many lines were not written; false: there is none. Those
 * that had none to tell of are forgotten on the way. */
bool log_flood_take(struct log_flood *flood, int64_t now_ms, struct log_flood_event *ret_event);

#endif
