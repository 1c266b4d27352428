/*
 * The text of a line of the benchmarks: "seq=000000001 ts=0000001234567890123 xxx…", of fixed
 * width, so that a reader finds both numbers inside whatever a server wraps around the line.
 * seq counts from 1; ts is CLOCK_MONOTONIC in ns when the line was written (0: unknown).
 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LINE_SEQ_DIGITS = 9,
	LINE_TS_DIGITS = 19,
	LINE_BYTES_MIN = 4 + LINE_SEQ_DIGITS + 4 + LINE_TS_DIGITS + 1,
};

/* Writes length bytes (at least LINE_BYTES_MIN), without a newline. */
void line_format(char *ret_text, size_t length, uint64_t seq, int64_t ts_ns);

/*
 * Finds a line's numbers in data. *hint is where the last one was found, which is looked at
 * first: servers wrap all lines of a stream alike. False if data holds no such line.
 */
bool line_find(const char *data, size_t length, size_t *hint, uint64_t *ret_seq, int64_t *ret_ts_ns);

#endif
