#include "shm/counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "shm/segment.h"

#define COUNTERS_MAGIC "RScount\n"

enum { LAYOUT_VERSION = 2 };

struct layout {
	struct segment_prefix prefix;
	uint64_t list_hash; /* another list of counters is another layout */
	uint8_t padding[40];
	union {
		struct counters_values values;
		uint64_t words[COUNTERS_WORDS]; /* atomic */
	};
};
static_assert(offsetof(struct layout, values) == 64, "layout");
static_assert(sizeof(struct counters_values) == COUNTERS_WORDS * sizeof(uint64_t), "words");

struct counters {
	struct layout *layout;
	size_t bytes;
};

/* --- the list ------------------------------------------------------------------------------------ */

static const struct counters_set counters_set_one = { .count = 1 };
static const struct counters_set counters_set_durations = { .count = 1 };

#define WORD(constant, word) word,
#define SET(set, label, count) \
	static const char *const words_##set[count] = { COUNTERS_SET_##set(WORD) }; \
	const struct counters_set counters_set_##set = { label, words_##set, count };
COUNTERS_SETS(SET)
#undef SET
#undef WORD

const struct counters_entry counters_list[COUNTERS_COUNT] = {
#define ENTRY(of, name, kind, set, help) \
	{ #name, COUNTERS_OF_##of, COUNTERS_##kind, &counters_set_##set, \
	  offsetof(struct counters_values, name) / sizeof(uint64_t), help },
	COUNTERS(ENTRY)
#undef ENTRY
};

const struct counters_derived counters_derived_list[COUNTERS_DERIVED_COUNT] = {
#define ENTRY(name, kind, labels, help) { #name, COUNTERS_##kind, labels, help },
	COUNTERS_DERIVED(ENTRY)
#undef ENTRY
};

const uint64_t counters_bounds_us[COUNTERS_BUCKETS] = {
#define BOUND(us, text) us,
	COUNTERS_BOUNDS(BOUND) UINT64_MAX
#undef BOUND
};

const char *const counters_bounds_text[COUNTERS_BUCKETS] = {
#define BOUND(us, text) text,
	COUNTERS_BOUNDS(BOUND) "+Inf"
#undef BOUND
};

size_t
counters_find_word(const struct counters_set *set, const char *word, size_t otherwise)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->words[i], word) == 0)
			return i;
	return otherwise;
}

/* What a name ends in says its unit; returns the length without it. */
static size_t
find_unit(const char *name, uint64_t *ret_divisor)
{
	size_t length = strlen(name);

	*ret_divisor = 1;
	if (length > 3 && strcmp(name + length - 3, "_us") == 0)
		*ret_divisor = 1000000;
	else if (length > 3 && strcmp(name + length - 3, "_ms") == 0)
		*ret_divisor = 1000;
	return *ret_divisor > 1 ? length - 3 : length;
}

void
counters_format_name(const char *name, enum counters_kind kind,
                     char ret_name[static COUNTERS_NAME_BYTES])
{
	uint64_t divisor;
	size_t length = find_unit(name, &divisor);

	snprintf(ret_name, COUNTERS_NAME_BYTES, "runstream_%.*s%s%s", (int)length, name,
	         divisor > 1 ? "_seconds" : "", kind == COUNTERS_counter ? "_total" : "");
}

uint64_t
counters_divisor(const char *name)
{
	uint64_t divisor;

	find_unit(name, &divisor);
	return divisor;
}

/* How many words an entry has. */
static size_t
words_of(const struct counters_entry *entry)
{
	return entry->kind == COUNTERS_histogram ? sizeof(struct counters_histogram) / sizeof(uint64_t)
	                                         : entry->set->count;
}

void
counters_add(struct counters_values *sum, const struct counters_values *values)
{
	uint64_t *to = (uint64_t *)(void *)sum;
	const uint64_t *from = counters_words_of(values);

	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];

		for (size_t at = entry->first; at < entry->first + words_of(entry); at++)
			if (entry->kind != COUNTERS_peak)
				to[at] += from[at];
			else if (from[at] > to[at])
				to[at] = from[at];
	}
}

void
counters_forget_gauges(struct counters_values *values)
{
	uint64_t *words = (uint64_t *)(void *)values;

	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];

		if (entry->kind == COUNTERS_gauge || entry->kind == COUNTERS_peak)
			memset(&words[entry->first], 0, words_of(entry) * sizeof(*words));
	}
}

/* --- counting ------------------------------------------------------------------------------------ */

void
counters_observe(struct counters_histogram *histogram, int64_t us)
{
	uint64_t took_us = us > 0 ? (uint64_t)us : 0;
	size_t i = 0;

	while (took_us > counters_bounds_us[i])
		i++;
	histogram->buckets[i]++;
	histogram->sum_us += took_us;
}

/* --- the segment ----------------------------------------------------------------------------------- */

/* FNV-1a over all that says what lies where. */
static uint64_t
add_to_hash(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

static uint64_t
hash_list(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];

		hash = add_to_hash(hash, entry->name);
		for (size_t word = 0; entry->set->words && word < entry->set->count; word++)
			hash = add_to_hash(hash, entry->set->words[word]);
	}
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		hash = add_to_hash(hash, counters_bounds_text[i]);
	return hash;
}

int
counters_create(void)
{
	struct layout layout = { .list_hash = hash_list() };
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
	if (counters->bytes < sizeof(struct layout) || counters->layout->list_hash != hash_list()) {
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
		uint64_t words[COUNTERS_WORDS];
	} copy;

	for (size_t i = 0; i < COUNTERS_WORDS; i++)
		copy.words[i] = __atomic_load_n(&counters->layout->words[i], __ATOMIC_RELAXED);
	*ret_values = copy.values;
}
