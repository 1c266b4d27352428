/*
 * A fault that happens again and again is told when it begins, now and then while it goes on, and
 * when it is over: not each time. Who decides what to say of it has an episode for each kind of
 * fault, looks at it about once a second with the number of times that it happened, and logs what
 * is news.
 */
#ifndef BASE_EPISODE_H
#define BASE_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	EPISODE_CALM_MS = 10000,    /* it is over when it has not happened for so long */
	EPISODE_REPEAT_MS = 600000, /* it is told again when it has gone on for so long */
};

/* Zero-initialised. */
struct episode {
	bool is_on;
	uint64_t seen;        /* of the count, at the last look */
	uint64_t told;        /* of the count, when it was last told */
	int64_t began_ms, last_ms, told_ms;
};

enum episode_news { EPISODE_NOTHING, EPISODE_BEGAN, EPISODE_GOES_ON, EPISODE_IS_OVER };

/*
 * count: how often it ever happened; monotonic time. *ret_times: since it was last told, or since it
 * began for one that is over; set with news alone.
 */
enum episode_news episode_look(struct episode *episode, uint64_t count, int64_t now_ms,
                               uint64_t *ret_times);

/* For roles: logs what is news. The event is a warning, with the error and a hint; and there
 * is a line of information with over=1 when it is over. */
void episode_tell(struct episode *episode, uint64_t count, const char *event, int error,
                  const char *hint);

#endif
