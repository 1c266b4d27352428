#include "base/log_flood.h"

#include <string.h>

void
log_flood_init(struct log_flood *flood)
{
	memset(flood, 0, sizeof(*flood));
	flood->next_end_ms = INT64_MAX;
}

/* Its place, or a free one, or NULL. */
static struct log_flood_event *
find(struct log_flood *flood, const char *event)
{
	struct log_flood_event *free_one = NULL;

	for (int i = 0; i < LOG_EVENTS_MAX; i++) {
		struct log_flood_event *e = &flood->events[i];

		if (!e->event)
			free_one = free_one ? free_one : e;
		else if (e->event == event || strcmp(e->event, event) == 0)
			return e;
	}
	return free_one;
}

bool
log_flood_admits(struct log_flood *flood, enum log_level level, const char *event, int64_t now_ms)
{
	struct log_flood_event *e = find(flood, event);

	if (!e)
		return true;
	if (!e->event) {
		*e = (struct log_flood_event){ .event = event, .began_ms = now_ms };
		if (now_ms + LOG_WINDOW_MS < flood->next_end_ms)
			flood->next_end_ms = now_ms + LOG_WINDOW_MS;
	}
	e->level = level;
	return ++e->lines <= LOG_BURST;
}

bool
log_flood_take(struct log_flood *flood, int64_t now_ms, struct log_flood_event *ret_event)
{
	if (now_ms < flood->next_end_ms)
		return false;
	flood->next_end_ms = INT64_MAX;
	for (int i = 0; i < LOG_EVENTS_MAX; i++) {
		struct log_flood_event *e = &flood->events[i];
		int64_t end_ms = e->began_ms + LOG_WINDOW_MS;

		if (!e->event)
			continue;
		if (now_ms < end_ms) {
			if (end_ms < flood->next_end_ms)
				flood->next_end_ms = end_ms;
			continue;
		}
		if (e->lines > LOG_BURST) {
			*ret_event = *e;
			ret_event->lines -= LOG_BURST;
			e->event = NULL;
			flood->next_end_ms = now_ms; /* there may be others */
			return true;
		}
		e->event = NULL;
	}
	return false;
}
