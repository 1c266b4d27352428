/*
 * How long to wait before a process that ended is started again: not at all the first time,
 * then 100 ms, doubling up to 10 s, so that one that cannot live does not take the machine with
 * it. One that lived for 30 s begins anew.
 */
#ifndef SUPERVISOR_BACK_OFF_H
#define SUPERVISOR_BACK_OFF_H

#include <stdint.h>

enum { BACK_OFF_FIRST_MS = 100, BACK_OFF_MOST_MS = 10000, BACK_OFF_HEALTHY_MS = 30000 };

/* Zero-initialised. */
struct back_off {
	int64_t next_ms;
};

/* The delay before the next start, of a process that lived for lived_ms. */
int64_t back_off_delay_ms(struct back_off *back_off, int64_t lived_ms);

#endif
