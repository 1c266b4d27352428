#include "base/episode.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum episode_news
episode_look(struct episode *e, uint64_t count, int64_t now_ms, uint64_t *ret_times)
{
	bool happened = count != e->seen;

	if (happened && !e->is_on) {
		*ret_times = count - e->seen;
		*e = (struct episode){ .is_on = true, .seen = count, .told = count,
			               .began_ms = now_ms, .last_ms = now_ms, .told_ms = now_ms };
		return EPISODE_BEGAN;
	}
	e->seen = count;
	if (!e->is_on)
		return EPISODE_NOTHING;
	if (happened)
		e->last_ms = now_ms;
	if (now_ms - e->last_ms >= EPISODE_CALM_MS) {
		e->is_on = false;
		*ret_times = count - e->told;
		return EPISODE_IS_OVER;
	}
	if (happened && now_ms - e->told_ms >= EPISODE_REPEAT_MS) {
		*ret_times = count - e->told;
		e->told = count;
		e->told_ms = now_ms;
		return EPISODE_GOES_ON;
	}
	return EPISODE_NOTHING;
}

void
episode_tell(struct episode *e, uint64_t count, const char *event, int error, const char *hint)
{
	uint64_t times;

	switch (episode_look(e, count, clock_now_ms(), &times)) {
	case EPISODE_NOTHING:
		break;
	case EPISODE_BEGAN:
	case EPISODE_GOES_ON:
		log_warning(event, "error=\"%s\" times=%ju hint=\"%s\"", strerror(error),
		            (uintmax_t)times, hint);
		break;
	case EPISODE_IS_OVER:
		log_info(event, "over=1 times=%ju lasted_ms=%jd", (uintmax_t)times,
		         (intmax_t)(e->last_ms - e->began_ms));
		break;
	}
}
