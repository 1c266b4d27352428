/*
 * Names by their hash of 128 bits, and a bounded table of them: to know a great many names that
 * others made up, without keeping them. Two names with one hash are taken for the same.
 */
#ifndef MODEL_DIGEST_H
#define MODEL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
	uint64_t high, low;
};

struct digest digest_of(const void *bytes, size_t length);

/* A value for each digest. Zero-initialised. */
struct digest_table {
	struct digest *keys; /* those with a value of 0 are free */
	uint8_t *values;
	size_t count, capacity;
};

void digest_table_fini(struct digest_table *table); /* may be used again */

/* The value (1 to 255), or 0: it is not there. */
uint8_t digest_table_get(const struct digest_table *table, const struct digest *key);

/* Sets a value, which is not 0. 0; -ENOSPC: a new one, and there are `most` already; -ENOMEM. */
int digest_table_set(struct digest_table *table, const struct digest *key, uint8_t value,
                     size_t most);

#endif
