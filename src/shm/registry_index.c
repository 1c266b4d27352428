#include "shm/registry_index.h"

#include <string.h>

#include "base/must.h"

static struct registry_index
index_now(const struct registry_writer *writer)
{
	struct registry_index index;

	must(registry_index_now(&writer->registry, &index)); /* checked when it was built */
	return index;
}

static uint64_t
hash_of(const struct registry_writer *writer, const char *run_id)
{
	return registry_hash(&writer->registry, run_id, strnlen(run_id, REGISTRY_NAME_BYTES));
}

static void
put(struct registry_writer *writer, const struct registry_index *index, const char *run_id,
    uint32_t slot)
{
	uint64_t hash = hash_of(writer, run_id), at = hash & index->mask;

	while (index->buckets[at] != REGISTRY_BUCKET_EMPTY &&
	       index->buckets[at] != REGISTRY_BUCKET_REMOVED)
		at = (at + 1) & index->mask;
	if (index->buckets[at] == REGISTRY_BUCKET_REMOVED)
		writer->index_removed--;
	writer->index_live++;
	__atomic_store_n(&index->buckets[at], registry_bucket(hash, slot), __ATOMIC_RELEASE);
}

void
registry_index_add(struct registry_writer *writer, const char *run_id, uint32_t slot)
{
	struct registry_index index = index_now(writer);

	put(writer, &index, run_id, slot);
}

void
registry_index_remove(struct registry_writer *writer, const char *run_id, uint32_t slot)
{
	struct registry_index index = index_now(writer);
	uint64_t hash = hash_of(writer, run_id);

	for (uint64_t i = 0; i <= index.mask; i++) {
		uint64_t *bucket = &index.buckets[(hash + i) & index.mask];

		if (*bucket == REGISTRY_BUCKET_EMPTY)
			return;
		if (*bucket == registry_bucket(hash, slot)) {
			__atomic_store_n(bucket, REGISTRY_BUCKET_REMOVED, __ATOMIC_RELEASE);
			writer->index_live--;
			writer->index_removed++;
			return;
		}
	}
}

void
registry_index_count(struct registry_writer *writer, const struct registry_run *run, int by)
{
	size_t status = counters_find_word(&counters_set_statuses, run->status,
	                                   COUNTERS_STATUS_OTHER);

	if (run->is_deleted)
		writer->deleted += (uint32_t)by;
	else
		writer->live[status] += (uint64_t)(int64_t)by;
}

int
registry_index_rebuild(struct registry_writer *writer, uint64_t live)
{
	struct registry *registry = &writer->registry;
	uint64_t word = registry->header->index, area = ~(word >> 7) & 1;
	uint32_t log2 = REGISTRY_INDEX_LOG2_MIN, count = registry_count(registry);
	struct registry_index index = { .buckets = registry->index[area] };
	int error;

	while (log2 < registry->index_log2_max && UINT64_C(1) << log2 < 2 * (live + 1))
		log2++;
	index.mask = (UINT64_C(1) << log2) - 1;
	error = segment_reserve(writer->fd,
	                        (uint64_t)((char *)index.buckets - (char *)registry->memory),
	                        UINT64_C(8) << log2);
	if (error)
		return error;
	/* Readers still in that area shall see that it is not the valid one; see registry_find(). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (uint64_t i = 0; i <= index.mask; i++)
		__atomic_store_n(&index.buckets[i], REGISTRY_BUCKET_EMPTY, __ATOMIC_RELAXED);
	writer->index_live = writer->index_removed = 0;
	writer->deleted = 0;
	memset(writer->live, 0, sizeof(writer->live));
	for (uint32_t slot = 0; slot < count; slot++) {
		struct registry_run run;

		if (registry_at(registry, slot, &run) == 0) {
			put(writer, &index, run.run_id, slot);
			registry_index_count(writer, &run, +1);
		}
	}
	word = ((word >> 8) + 1) << 8 | area << 7 | log2;
	__atomic_store_n(&registry->header->index, word, __ATOMIC_RELEASE);
	return 0;
}

int
registry_index_make_room(struct registry_writer *writer)
{
	struct registry_index index = index_now(writer);

	if ((writer->index_live + writer->index_removed + 1) * 4 <= (index.mask + 1) * 3)
		return 0;
	return registry_index_rebuild(writer, writer->index_live);
}
