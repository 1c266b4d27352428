#include "supervisor/assignment.h"

#include <stdbool.h>
#include <string.h>

static bool
has(uint64_t set, uint32_t i)
{
	return set >> i & 1;
}

/* Of the able workers, the first of those with the fewest sockets. */
static uint32_t
least_laden(uint32_t count, uint64_t able, const uint64_t *sets)
{
	uint32_t least = INSTANCE_WORKERS_MAX;

	for (uint32_t i = 0; i < count; i++)
		if (has(able, i) && (least == INSTANCE_WORKERS_MAX ||
		                     __builtin_popcountll(sets[i]) <
		                             __builtin_popcountll(sets[least])))
			least = i;
	return least;
}

void
assignment_make(uint32_t count, uint64_t able, uint64_t ret_sets[static INSTANCE_WORKERS_MAX])
{
	memset(ret_sets, 0, INSTANCE_WORKERS_MAX * sizeof(ret_sets[0]));
	for (uint32_t i = 0; i < count; i++)
		if (has(able, i))
			ret_sets[i] = (uint64_t)1 << i;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t to = has(able, i) ? INSTANCE_WORKERS_MAX : least_laden(count, able, ret_sets);

		if (to < INSTANCE_WORKERS_MAX)
			ret_sets[to] |= (uint64_t)1 << i;
	}
}
