#include "histogram.h"

/* Values below 64 have a cell each; above, the six bits after the highest choose the step. */
static unsigned
cell_of(uint64_t value)
{
	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 6u;
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
}

static uint64_t
upper_edge(unsigned cell)
{
	if (cell < HISTOGRAM_STEPS)
		return cell;
	unsigned shift = cell / HISTOGRAM_STEPS - 1;
	uint64_t step = cell % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
	return ((step + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t value)
{
	h->count++;
	h->cells[cell_of(value)]++;
	if (value > h->max)
		h->max = value;
}

uint64_t
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)((double)h->count * share);
	uint64_t passed = 0;
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
		passed += h->cells[cell];
		if (passed > wanted) {
			uint64_t edge = upper_edge(cell);
			return edge < h->max ? edge : h->max;
		}
	}
	return h->max;
}
