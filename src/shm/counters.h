/*
 * Figures of one process (a worker, discovery, the supervisor): a segment of its own, which it
 * alone writes and all others read. What figures there are is in counters_list.h, and nowhere else;
 * each process has room for all of them, and fills in its own.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/counters_list.h"

/* The constants of each set, and how many there are: COUNTERS_STREAM_LOG, …, COUNTERS_STREAM_KINDS. */
#define COUNTERS_CONSTANT(constant, word) constant,
#define COUNTERS_ENUM(set, label, count) \
	enum counters_##set { COUNTERS_SET_##set(COUNTERS_CONSTANT) count };
COUNTERS_SETS(COUNTERS_ENUM)
#undef COUNTERS_ENUM
#undef COUNTERS_CONSTANT

#define COUNTERS_ONE_MORE(us, text) +1
enum { COUNTERS_BUCKETS = COUNTERS_BOUNDS(COUNTERS_ONE_MORE) + 1 }; /* the last one has no bound */
#undef COUNTERS_ONE_MORE

/* How often something took how long. */
struct counters_histogram {
	uint64_t buckets[COUNTERS_BUCKETS]; /* each for itself, not added up */
	uint64_t sum_us;
};

/* What is kept for an entry of each set. */
typedef uint64_t counters_cells_one;
typedef struct counters_histogram counters_cells_durations;
#define COUNTERS_CELLS(set, label, count) typedef uint64_t counters_cells_##set[count];
COUNTERS_SETS(COUNTERS_CELLS)
#undef COUNTERS_CELLS

struct counters_values {
#define COUNTERS_MEMBER(of, name, kind, set, help) counters_cells_##set name;
	COUNTERS(COUNTERS_MEMBER)
#undef COUNTERS_MEMBER
};

/* All of it as words, which is how it is kept, copied and added up. */
enum { COUNTERS_WORDS = sizeof(struct counters_values) / sizeof(uint64_t) };

/* --- the list as data, for those who show all of it ------------------------------------------------ */

enum counters_of { COUNTERS_OF_worker, COUNTERS_OF_discovery, COUNTERS_OF_supervisor, COUNTERS_OF_any };
enum counters_kind { COUNTERS_counter, COUNTERS_gauge, COUNTERS_peak, COUNTERS_histogram };

/* A set of labels; of plain numbers and histograms there is none (label NULL). */
struct counters_set {
	const char *label;
	const char *const *words;
	size_t count; /* of words */
};
#define COUNTERS_DECLARE(set, label, count) extern const struct counters_set counters_set_##set;
COUNTERS_SETS(COUNTERS_DECLARE)
#undef COUNTERS_DECLARE

struct counters_entry {
	const char *name;
	enum counters_of of;
	enum counters_kind kind;
	const struct counters_set *set;
	size_t first; /* of its words in counters_values; of a histogram: the first bucket, the sum last */
	const char *help;
};

#define COUNTERS_COUNT_ONE(of, name, kind, set, help) +1
enum { COUNTERS_COUNT = COUNTERS(COUNTERS_COUNT_ONE) };
#undef COUNTERS_COUNT_ONE
extern const struct counters_entry counters_list[COUNTERS_COUNT];

/* What Prometheus has that no process counts. */
struct counters_derived {
	const char *name;
	enum counters_kind kind;
	const char *labels, *help;
};
#define COUNTERS_COUNT_ONE(name, kind, labels, help) +1
enum { COUNTERS_DERIVED_COUNT = COUNTERS_DERIVED(COUNTERS_COUNT_ONE) };
#undef COUNTERS_COUNT_ONE
extern const struct counters_derived counters_derived_list[COUNTERS_DERIVED_COUNT];

/* Bounds in microseconds, and as text in seconds; the last bucket's is UINT64_MAX, "+Inf". */
extern const uint64_t counters_bounds_us[COUNTERS_BUCKETS];
extern const char *const counters_bounds_text[COUNTERS_BUCKETS];

/* The place of a word in its set; otherwise if it is not there. */
size_t counters_find_word(const struct counters_set *set, const char *word, size_t otherwise);

/* Writes the name as Prometheus has it: with the prefix, the unit, and _total for a counter. */
enum { COUNTERS_NAME_BYTES = 64 };
void counters_format_name(const char *name, enum counters_kind kind,
                          char ret_name[static COUNTERS_NAME_BYTES]);
/* What a value is divided by to be in the unit of that name: 1, 1,000 or 1,000,000. */
uint64_t counters_divisor(const char *name);

/* The words of a copy, or of the owner's. */
static inline const uint64_t *
counters_words_of(const struct counters_values *values)
{
	return (const uint64_t *)(const void *)values;
}

/* Adds the figures of one process to a sum of several: peaks are compared instead. */
void counters_add(struct counters_values *sum, const struct counters_values *values);

/* A dead process's: what is now is nothing; what has happened has. */
void counters_forget_gauges(struct counters_values *values);

/* --- counting ----------------------------------------------------------------------------------------- */

/* One thing took so long. A few comparisons; negative counts as nothing. */
void counters_observe(struct counters_histogram *histogram, int64_t us);

/* --- the segment ---------------------------------------------------------------------------------------- */

struct counters;

int counters_create(void); /* returns a memfd or -errno */
/* Maps it (borrows fd). 0 or -errno as registry_open(); -EPROTONOSUPPORT also where the list is
 * another one. Returns owned. */
int counters_open(int fd, bool writable, struct counters **ret_counters);
void counters_close(struct counters **counters);
/* The owner's values, to be changed in place (plain 8-byte stores; readers use counters_read). */
struct counters_values *counters_own(struct counters *counters);
void counters_read(const struct counters *counters, struct counters_values *ret_values);

#endif
