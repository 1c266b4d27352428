#include "supervisor/back_off.h"

int64_t
back_off_delay_ms(struct back_off *back_off, int64_t lived_ms)
{
	int64_t delay_ms;

	if (lived_ms >= BACK_OFF_HEALTHY_MS)
		back_off->next_ms = 0;
	delay_ms = back_off->next_ms;
	back_off->next_ms = delay_ms == 0 ? BACK_OFF_FIRST_MS : delay_ms * 2;
	if (back_off->next_ms > BACK_OFF_MOST_MS)
		back_off->next_ms = BACK_OFF_MOST_MS;
	return delay_ms;
}
