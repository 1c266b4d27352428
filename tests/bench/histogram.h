/* Durations by their frequency, to about 1.6 %: 64 steps for each power of two. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_CELLS = (64 - 6 + 1) * HISTOGRAM_STEPS };

struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t cells[HISTOGRAM_CELLS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that share (0 to 1) of what was added does not exceed; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
