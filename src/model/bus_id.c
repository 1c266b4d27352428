#include "model/bus_id.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/must.h"
#include "model/run_id.h"

void
bus_id_make(const char *project, const char *task, char ret_id[static BUS_ID_BYTES + 1])
{
	char names[2 * RUN_ID_BYTES + 2];
	XXH128_hash_t hash;

	must(strlen(project) <= RUN_ID_BYTES && strlen(task) <= RUN_ID_BYTES);
	hash = XXH3_128bits(names, (size_t)snprintf(names, sizeof(names), "%s/%s", project, task));
	snprintf(ret_id, BUS_ID_BYTES + 1, "%016llx%016llx", (unsigned long long)hash.high64,
	         (unsigned long long)hash.low64);
}
