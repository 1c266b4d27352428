#include "shm/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "shm/segment.h"

#define COUNTERS_MAGIC "RScount\n"

enum { LAYOUT_VERSION = 1 };

struct layout {
	struct segment_prefix prefix;
	uint64_t values_bytes; /* another list of counters is another layout */
	uint8_t padding[40];
	union {
		struct counters_values values;
		uint64_t words[COUNTERS_COUNT]; /* atomic */
	};
};
static_assert(offsetof(struct layout, values) == 64, "layout");

struct counters {
	struct layout *layout;
	size_t bytes;
};

const struct counters_entry counters_list[COUNTERS_COUNT] = {
#define ENTRY(name, kind, help) { #name, #kind, help },
	COUNTERS(ENTRY)
#undef ENTRY
};

uint64_t
counters_value(const struct counters_values *values, size_t entry)
{
	uint64_t value;

	memcpy(&value, (const char *)values + entry * sizeof(value), sizeof(value));
	return value;
}

int
counters_create(void)
{
	struct layout layout = { .values_bytes = sizeof(layout.values) };
	int fd, error;

	fd = segment_create("runstream-counters", sizeof(layout));
	if (fd < 0)
		return fd;
	error = segment_begin(fd, COUNTERS_MAGIC, LAYOUT_VERSION, &layout, sizeof(layout));
	if (error) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

int
counters_open(int fd, bool writable, struct counters **ret_counters)
{
	struct counters *counters = calloc(1, sizeof(*counters));
	void *memory;
	int error;

	if (!counters)
		return -ENOMEM;
	error = segment_map(fd, writable, COUNTERS_MAGIC, LAYOUT_VERSION,
	                    offsetof(struct layout, values), &memory, &counters->bytes);
	if (error) {
		free(counters);
		return error;
	}
	counters->layout = memory;
	if (counters->layout->values_bytes != sizeof(struct counters_values) ||
	    counters->bytes < sizeof(struct layout)) {
		counters_close(&counters);
		return -EPROTONOSUPPORT;
	}
	*ret_counters = counters;
	return 0;
}

void
counters_close(struct counters **counters)
{
	if (!*counters)
		return;
	munmap((*counters)->layout, (*counters)->bytes);
	free(*counters);
	*counters = NULL;
}

struct counters_values *
counters_own(struct counters *counters)
{
	return &counters->layout->values;
}

void
counters_read(const struct counters *counters, struct counters_values *ret_values)
{
	union {
		struct counters_values values;
		uint64_t words[COUNTERS_COUNT];
	} copy;

	for (size_t i = 0; i < COUNTERS_COUNT; i++)
		copy.words[i] = __atomic_load_n(&counters->layout->words[i], __ATOMIC_RELAXED);
	*ret_values = copy.values;
}
