/* Monotonic and wall-clock time as plain integers. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC: for intervals and deadlines; unaffected by a clock that is set. */
int64_t clock_now_ms(void);
int64_t clock_now_ns(void);

/* CLOCK_REALTIME, since the epoch: for timestamps that people read, and those of files. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* The last nanosecond of a millisecond. */
struct timespec clock_end_of_ms(int64_t ms);

/* By how much the times that file systems give to files may be behind the wall clock: a tick of the kernel's. */
int64_t clock_file_lag_ms(void);

enum { CLOCK_RFC3339_BYTES = 25 };

/*
 * Writes wall_ms as RFC 3339 in UTC with milliseconds ("2026-02-04T18:30:42.569Z") and a NUL.
 * Years outside 0000 to 9999 are clamped to those borders. Returns the length without the NUL.
 */
size_t clock_format_rfc3339(int64_t wall_ms, char ret_text[static CLOCK_RFC3339_BYTES]);

#endif
