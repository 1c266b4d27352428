#include "model/digest.h"

#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

struct digest
digest_of(const void *bytes, size_t length)
{
	XXH128_hash_t hash = XXH3_128bits(bytes, length);

	return (struct digest){ .high = hash.high64, .low = hash.low64 };
}

void
digest_table_fini(struct digest_table *table)
{
	free(table->keys);
	free(table->values);
	*table = (struct digest_table){ 0 };
}

/* Where the key is, or where it would be put. The capacity is a power of two, and there is always
 * a free place. */
static size_t
place_of(const struct digest_table *table, const struct digest *key)
{
	size_t mask = table->capacity - 1, at = (size_t)key->low & mask;

	while (table->values[at] != 0 &&
	       (table->keys[at].low != key->low || table->keys[at].high != key->high))
		at = (at + 1) & mask;
	return at;
}

uint8_t
digest_table_get(const struct digest_table *table, const struct digest *key)
{
	return table->capacity == 0 ? 0 : table->values[place_of(table, key)];
}

static int
grow(struct digest_table *table)
{
	struct digest_table grown = { .capacity = table->capacity ? table->capacity * 2 : 16 };

	grown.keys = calloc(grown.capacity, sizeof(*grown.keys));
	grown.values = calloc(grown.capacity, sizeof(*grown.values));
	if (!grown.keys || !grown.values) {
		digest_table_fini(&grown);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->capacity; i++) {
		size_t at;

		if (table->values[i] == 0)
			continue;
		at = place_of(&grown, &table->keys[i]);
		grown.keys[at] = table->keys[i];
		grown.values[at] = table->values[i];
	}
	free(table->keys);
	free(table->values);
	table->keys = grown.keys;
	table->values = grown.values;
	table->capacity = grown.capacity;
	return 0;
}

int
digest_table_set(struct digest_table *table, const struct digest *key, uint8_t value, size_t most)
{
	size_t at = table->capacity == 0 ? 0 : place_of(table, key);
	int error;

	if (table->capacity > 0 && table->values[at] != 0) {
		table->values[at] = value;
		return 0;
	}
	if (table->count >= most)
		return -ENOSPC;
	if ((table->count + 1) * 4 > table->capacity * 3) {
		error = grow(table);
		if (error)
			return error;
		at = place_of(table, key);
	}
	table->keys[at] = *key;
	table->values[at] = value;
	table->count++;
	return 0;
}
