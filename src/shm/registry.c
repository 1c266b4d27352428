#include "shm/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "base/must.h"
#include "shm/registry_map.h"

/* A reader that meets a writer tries again; the writer's part takes well under a microsecond,
 * so whoever loses so often looks at a registry that is damaged or a machine that is stuck. */
enum { TRIES = 1000 };

/* --- mapping ------------------------------------------------------------------------------------ */

static bool
fits(uint64_t offset, uint64_t bytes, uint64_t total)
{
	return offset % SEGMENT_PAGE_BYTES == 0 && offset <= total && bytes <= total - offset;
}

static bool
header_is_sound(const struct registry_header *header, uint64_t bytes)
{
	uint64_t index_bytes;

	if (header->total_bytes != bytes || header->capacity == 0 ||
	    header->capacity > REGISTRY_CAPACITY_MAX ||
	    header->index_log2_max < REGISTRY_INDEX_LOG2_MIN || header->index_log2_max > 32)
		return false;
	index_bytes = UINT64_C(8) << header->index_log2_max;
	return fits(header->ring_offset, REGISTRY_RING_ENTRIES * sizeof(uint32_t), bytes) &&
	       fits(header->slots_offset, header->capacity * sizeof(struct registry_slot), bytes) &&
	       fits(header->index_offset[0], index_bytes, bytes) &&
	       fits(header->index_offset[1], index_bytes, bytes) &&
	       fits(header->text_offset, header->text_bytes, bytes);
}

int
registry_map(int fd, bool writable, struct registry *ret_registry)
{
	struct registry_header header;
	unsigned char *at;
	void *memory;
	size_t bytes;
	int error;

	error = segment_map(fd, writable, REGISTRY_MAGIC, REGISTRY_LAYOUT_VERSION, sizeof(header),
	                    &memory, &bytes);
	if (error)
		return error;
	memcpy(&header, memory, sizeof(header));
	if (!header_is_sound(&header, bytes)) {
		munmap(memory, bytes);
		return -EPROTO;
	}
	at = memory;
	*ret_registry = (struct registry){
		.memory = memory,
		.bytes = bytes,
		.header = memory,
		.ring = (void *)(at + header.ring_offset),
		.slots = (void *)(at + header.slots_offset),
		.index = { (void *)(at + header.index_offset[0]),
		           (void *)(at + header.index_offset[1]) },
		.text = at + header.text_offset,
		.text_bytes = header.text_bytes,
		.hash_seed = header.hash_seed,
		.capacity = header.capacity,
		.index_log2_max = header.index_log2_max,
	};
	return 0;
}

void
registry_unmap(struct registry *registry)
{
	if (registry->memory)
		munmap(registry->memory, registry->bytes);
	registry->memory = NULL;
}

int
registry_open(int fd, struct registry **ret_registry)
{
	struct registry *registry = malloc(sizeof(*registry));
	int error;

	if (!registry)
		return -ENOMEM;
	error = registry_map(fd, false, registry);
	if (error) {
		free(registry);
		return error;
	}
	*ret_registry = registry;
	return 0;
}

void
registry_close(struct registry **registry)
{
	if (!*registry)
		return;
	registry_unmap(*registry);
	free(*registry);
	*registry = NULL;
}

uint32_t
registry_capacity(const struct registry *registry)
{
	return registry->capacity;
}

uint32_t
registry_epoch(const struct registry *registry)
{
	return (uint32_t)(registry->hash_seed ^ registry->hash_seed >> 32);
}

uint32_t
registry_count(const struct registry *registry)
{
	uint32_t count = __atomic_load_n(&registry->header->slot_count, __ATOMIC_ACQUIRE);

	return count < registry->capacity ? count : registry->capacity;
}

/* --- one run ------------------------------------------------------------------------------------ */

/* Word by word: the writer may be at work there, and the words are then thrown away. */
static void
copy_words(uint64_t *to, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* False if what was copied cannot be: damaged, or copied while it changed. */
static bool
copy_texts(const struct registry *registry, const struct registry_state *state,
           struct registry_run *run)
{
	char *const to[REGISTRY_TEXTS] = { run->run_id, run->project_id, run->task_id,
		                           run->path_project, run->path_task };
	uint64_t used = __atomic_load_n(&registry->header->text_used_bytes, __ATOMIC_ACQUIRE);
	uint64_t at = (uint64_t)state->text * REGISTRY_TEXT_UNIT_BYTES;
	union {
		uint64_t words[REGISTRY_TEXT_MOST_BYTES / sizeof(uint64_t)];
		char bytes[REGISTRY_TEXT_MOST_BYTES];
	} copy;
	size_t length = 0, words;
	const char *from = copy.bytes;

	for (int i = 0; i < REGISTRY_TEXTS; i++) {
		if (state->text_length[i] > REGISTRY_NAME_BYTES)
			return false;
		length += state->text_length[i];
	}
	words = (length + sizeof(uint64_t) - 1) / sizeof(uint64_t);
	if (used > registry->text_bytes || at > used || words * sizeof(uint64_t) > used - at)
		return false;
	copy_words(copy.words, (const uint64_t *)(const void *)(registry->text + at), words);
	for (int i = 0; i < REGISTRY_TEXTS; i++) {
		memcpy(to[i], from, state->text_length[i]);
		to[i][state->text_length[i]] = '\0';
		from += state->text_length[i];
	}
	return true;
}

static void
take_ending(const struct registry_state *state, struct registry_ending *ret_ending)
{
	ret_ending->is_known = state->flags & REGISTRY_HAS_ENDING;
	ret_ending->is_outdated = state->flags & REGISTRY_ENDED_AGAIN;
	ret_ending->written_ms = (int64_t)state->ending_written_s * 1000;
	for (int i = 0; i < REGISTRY_FILES; i++) {
		ret_ending->files[i].bytes = state->ending_bytes[i];
		ret_ending->files[i].identity = state->ending_identity[i];
		ret_ending->files[i].fingerprint = state->ending_fingerprint[i];
	}
}

static int
copy_run(const struct registry *registry, uint32_t at, struct registry_run *run)
{
	const struct registry_slot *slot = &registry->slots[at];
	uint32_t sequence = 0;
	bool copied = false;

	for (int tries = 0; tries < TRIES; tries++) {
		union {
			struct registry_state state;
			uint64_t words[sizeof(struct registry_state) / sizeof(uint64_t)];
		} copy = { .words = { 0 } };

		sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
		if (sequence == 0)
			return -ENOENT;
		copy_words(copy.words, (const uint64_t *)(const void *)&slot->copy[sequence & 1],
		           sizeof(copy.words) / sizeof(copy.words[0]));
		copied = copy.state.status_length <= REGISTRY_STATUS_BYTES &&
		         copy_texts(registry, &copy.state, run);
		run->went_on_at = __atomic_load_n(&slot->went_on_at, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) != sequence)
			continue;
		if (!copied)
			return -EPROTO;
		run->slot = at;
		run->version = sequence;
		memcpy(run->status, copy.state.status, copy.state.status_length);
		run->status[copy.state.status_length] = '\0';
		run->is_terminal = copy.state.flags & REGISTRY_IS_TERMINAL;
		run->is_deleted = copy.state.flags & REGISTRY_IS_DELETED;
		run->exit_code = copy.state.exit_code;
		run->start_time_ms = copy.state.start_time_ms;
		run->end_time_ms = copy.state.end_time_ms;
		run->first_seen_ms = copy.state.first_seen_ms;
		take_ending(&copy.state, &run->ending);
		return 0;
	}
	return -EAGAIN;
}

int
registry_at(const struct registry *registry, uint32_t slot, struct registry_run *ret_run)
{
	struct registry_run run;
	int error;

	if (slot >= registry_count(registry))
		return -ENOENT;
	error = copy_run(registry, slot, &run);
	if (!error)
		*ret_run = run;
	return error;
}

/* --- look-up ------------------------------------------------------------------------------------ */

uint64_t
registry_hash(const struct registry *registry, const char *run_id, size_t length)
{
	return XXH3_64bits_withSeed(run_id, length, registry->hash_seed);
}

bool
registry_index_now(const struct registry *registry, struct registry_index *ret_index)
{
	uint64_t word = __atomic_load_n(&registry->header->index, __ATOMIC_ACQUIRE);
	unsigned log2 = word & 0x7f;

	if (log2 > registry->index_log2_max)
		return false;
	ret_index->word = word;
	ret_index->buckets = registry->index[word >> 7 & 1];
	ret_index->mask = (UINT64_C(1) << log2) - 1;
	return true;
}

/* One pass through the index: 0, -ENOENT, -EAGAIN (a slot kept changing), -EPROTO. */
static int
probe(const struct registry *registry, const struct registry_index *index, uint64_t hash,
      const char *run_id, struct registry_run *run)
{
	uint32_t count = registry_count(registry);
	int worst = -ENOENT;

	for (uint64_t i = 0; i <= index->mask; i++) {
		uint64_t bucket = __atomic_load_n(&index->buckets[(hash + i) & index->mask],
		                                  __ATOMIC_ACQUIRE);
		uint32_t slot = (uint32_t)bucket - 1;
		int error;

		if (bucket == REGISTRY_BUCKET_EMPTY)
			return worst;
		if (bucket == REGISTRY_BUCKET_REMOVED || bucket != registry_bucket(hash, slot) ||
		    slot >= count)
			continue;
		error = copy_run(registry, slot, run);
		if (error == 0 && strcmp(run->run_id, run_id) == 0)
			return 0;
		if (error != 0 && error != -ENOENT)
			worst = error;
	}
	return worst;
}

int
registry_find(const struct registry *registry, const char *run_id, struct registry_run *ret_run)
{
	size_t length = strnlen(run_id, REGISTRY_NAME_BYTES + 1);
	struct registry_run run;
	uint64_t hash;

	if (length == 0 || length > REGISTRY_NAME_BYTES)
		return -ENOENT;
	hash = registry_hash(registry, run_id, length);
	for (int tries = 0; tries < TRIES; tries++) {
		struct registry_index index;
		int error;

		if (!registry_index_now(registry, &index))
			return -EPROTO;
		error = probe(registry, &index, hash, run_id, &run);
		if (error == 0) {
			*ret_run = run;
			return 0;
		}
		/* An area is cleared only after another one is valid: what was missed in an area
		 * that is no longer the valid one says nothing. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&registry->header->index, __ATOMIC_RELAXED) == index.word)
			return error;
	}
	return -EAGAIN;
}

/* --- the change feed and looks ------------------------------------------------------------------ */

uint64_t
registry_changes_now(const struct registry *registry)
{
	return __atomic_load_n(&registry->header->changes, __ATOMIC_ACQUIRE);
}

ssize_t
registry_changes(const struct registry *registry, uint64_t *cursor, uint32_t *ret_slots,
                 size_t most)
{
	uint64_t now = registry_changes_now(registry), at = *cursor;
	size_t taken = 0;

	/* The writer may be filling the entry that comes next, the oldest one's place. */
	if (now - at >= REGISTRY_RING_ENTRIES)
		goto overflow;
	while (at != now && taken < most)
		ret_slots[taken++] = __atomic_load_n(
			&registry->ring[at++ & (REGISTRY_RING_ENTRIES - 1)], __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	now = __atomic_load_n(&registry->header->changes, __ATOMIC_RELAXED);
	if (now - *cursor >= REGISTRY_RING_ENTRIES)
		goto overflow;
	*cursor = at;
	return (ssize_t)taken;
overflow:
	*cursor = now;
	return -EOVERFLOW;
}

uint64_t
registry_looks_begun(const struct registry *registry)
{
	return __atomic_load_n(&registry->header->looks_begun, __ATOMIC_ACQUIRE);
}

uint64_t
registry_looks_finished(const struct registry *registry)
{
	return __atomic_load_n(&registry->header->looks_finished, __ATOMIC_ACQUIRE);
}

uint64_t
registry_looks_whole(const struct registry *registry)
{
	return __atomic_load_n(&registry->header->looks_whole, __ATOMIC_ACQUIRE);
}

bool
registry_is_full(const struct registry *registry)
{
	return __atomic_load_n(&registry->header->is_full, __ATOMIC_ACQUIRE) != 0;
}

int
registry_look_answered(const struct registry *registry, uint64_t look)
{
	uint64_t finished = registry_looks_finished(registry);

	if (finished <= look)
		return 0;
	return finished >> REGISTRY_LOOKS_BITS == look >> REGISTRY_LOOKS_BITS ? 1 : -EAGAIN;
}

bool
registry_is_left_out(const struct registry *registry, uint32_t slot)
{
	return slot < registry_count(registry) &&
	       __atomic_load_n(&registry->slots[slot].is_left_out, __ATOMIC_ACQUIRE) != 0;
}

size_t
registry_run_path(const struct registry_run *run, char *ret_path, size_t capacity)
{
	const char *const parts[] = { run->path_project, "/", run->path_task, "/runs/" };
	size_t length = 0;

	must(capacity >= 3 * (REGISTRY_NAME_BYTES + 1) + 8);
	if (run->path_project[0] != '\0' || run->path_task[0] != '\0')
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			size_t part = strlen(parts[i]);

			memcpy(ret_path + length, parts[i], part);
			length += part;
		}
	strcpy(ret_path + length, run->run_id);
	return length + strlen(run->run_id);
}
