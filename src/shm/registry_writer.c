#include "shm/registry_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/must.h"
#include "shm/registry_index.h"

/* --- making one --------------------------------------------------------------------------------- */

static uint64_t
whole_pages(uint64_t bytes)
{
	return (bytes + SEGMENT_PAGE_BYTES - 1) / SEGMENT_PAGE_BYTES * SEGMENT_PAGE_BYTES;
}

int
registry_create(uint32_t max_runs)
{
	struct registry_header header = { .capacity = max_runs,
		                          .index_log2_max = REGISTRY_INDEX_LOG2_MIN };
	uint64_t index_bytes, at = whole_pages(sizeof(header));
	int fd, error;

	if (max_runs == 0 || max_runs > REGISTRY_CAPACITY_MAX)
		return -EINVAL;
	/* At most half of the buckets are in use when an index is built. */
	while (UINT64_C(1) << header.index_log2_max < UINT64_C(2) * max_runs)
		header.index_log2_max++;
	index_bytes = UINT64_C(8) << header.index_log2_max;
	header.ring_offset = at;
	at += whole_pages(REGISTRY_RING_ENTRIES * sizeof(uint32_t));
	header.slots_offset = at;
	at += whole_pages(max_runs * sizeof(struct registry_slot));
	header.index_offset[0] = at;
	at += whole_pages(index_bytes);
	header.index_offset[1] = at;
	at += whole_pages(index_bytes);
	header.text_offset = at;
	header.text_bytes = whole_pages((uint64_t)max_runs * REGISTRY_TEXT_SLOT_BYTES);
	at += header.text_bytes;
	header.total_bytes = at;
	header.index = REGISTRY_INDEX_LOG2_MIN;
	/* Ids come from whoever may start a run: a secret seed keeps them from colliding at will. */
	if (getrandom(&header.hash_seed, sizeof(header.hash_seed), 0) != sizeof(header.hash_seed))
		return -EIO;

	fd = segment_create("runstream-registry", header.total_bytes);
	if (fd < 0)
		return fd;
	error = segment_begin(fd, REGISTRY_MAGIC, REGISTRY_LAYOUT_VERSION, &header, sizeof(header));
	if (!error)
		error = segment_reserve(fd, header.ring_offset,
		                        REGISTRY_RING_ENTRIES * sizeof(uint32_t));
	if (!error)
		error = segment_reserve(fd, header.index_offset[0],
		                        UINT64_C(8) << REGISTRY_INDEX_LOG2_MIN);
	if (error) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

/* --- memory ------------------------------------------------------------------------------------- */

/* Has the first bytes of an area reserved; *reserved says how many are. */
static int
reserve_area(struct registry_writer *writer, const void *area, uint64_t area_bytes,
             uint64_t *reserved, uint64_t bytes)
{
	uint64_t offset = (uint64_t)((const char *)area - (const char *)writer->registry.memory);
	uint64_t more;
	int error;

	if (bytes > area_bytes)
		return -ENOSPC;
	if (bytes <= *reserved)
		return 0;
	more = bytes - *reserved;
	if (more < REGISTRY_CHUNK_BYTES)
		more = REGISTRY_CHUNK_BYTES;
	if (more > area_bytes - *reserved)
		more = area_bytes - *reserved;
	error = segment_reserve(writer->fd, offset + *reserved, more);
	if (!error)
		*reserved += more;
	return error;
}

static int
new_block(struct registry_writer *writer, uint32_t units, uint32_t *ret_at)
{
	struct registry_header *header = writer->registry.header;
	uint64_t at = header->text_used_bytes;
	uint64_t end = at + (uint64_t)units * REGISTRY_TEXT_UNIT_BYTES;
	int error = reserve_area(writer, writer->registry.text, writer->registry.text_bytes,
	                         &header->text_reserved_bytes, end);

	if (error)
		return error;
	__atomic_store_n(&header->text_used_bytes, end, __ATOMIC_RELEASE);
	*ret_at = (uint32_t)(at / REGISTRY_TEXT_UNIT_BYTES);
	return 0;
}

/* --- a slot ------------------------------------------------------------------------------------- */

static void
store_words(uint64_t *to, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
}

struct texts {
	union {
		uint64_t words[REGISTRY_TEXT_MOST_BYTES / sizeof(uint64_t)];
		char bytes[REGISTRY_TEXT_MOST_BYTES];
	};
	uint8_t length[REGISTRY_TEXTS];
	uint32_t units;
};

static void
gather_texts(const struct registry_run *run, struct texts *texts)
{
	const char *const from[REGISTRY_TEXTS] = { run->run_id, run->project_id, run->task_id,
		                                   run->path_project, run->path_task };
	size_t total = 0;

	memset(texts, 0, sizeof(*texts));
	for (int i = 0; i < REGISTRY_TEXTS; i++) {
		size_t length = strnlen(from[i], REGISTRY_NAME_BYTES);

		memcpy(texts->bytes + total, from[i], length);
		texts->length[i] = (uint8_t)length;
		total += length;
	}
	texts->units = (uint32_t)((total + REGISTRY_TEXT_UNIT_BYTES - 1) / REGISTRY_TEXT_UNIT_BYTES);
}

/* Writes the texts into the block that valid (NULL: none) does not use. */
static int
write_texts(struct registry_writer *writer, struct registry_slot *slot,
            const struct registry_state *valid, const struct texts *texts, uint32_t *ret_at)
{
	int other = valid && slot->block[0].units > 0 && slot->block[0].at == valid->text;
	uint32_t at = slot->block[other].at;

	if (slot->block[other].units < texts->units) {
		uint32_t units = texts->units;
		int error;

		if (slot->block[other].units > 0)
			units = REGISTRY_TEXT_MOST_BYTES / REGISTRY_TEXT_UNIT_BYTES;
		error = new_block(writer, units, &at);
		if (error)
			return error;
		/* In this order: killed in between, the block is smaller than it could be. */
		__atomic_store_n(&slot->block[other].at, at, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->block[other].units, units, __ATOMIC_RELEASE);
	}
	store_words((uint64_t *)(void *)(writer->registry.text +
	                                 (uint64_t)at * REGISTRY_TEXT_UNIT_BYTES),
	            texts->words, texts->units * (REGISTRY_TEXT_UNIT_BYTES / sizeof(uint64_t)));
	*ret_at = at;
	return 0;
}

static bool
same_texts(const struct registry_run *a, const struct registry_run *b)
{
	return strcmp(a->run_id, b->run_id) == 0 && strcmp(a->project_id, b->project_id) == 0 &&
	       strcmp(a->task_id, b->task_id) == 0 &&
	       strcmp(a->path_project, b->path_project) == 0 &&
	       strcmp(a->path_task, b->path_task) == 0;
}

static bool
same_ending(const struct registry_ending *a, const struct registry_ending *b)
{
	bool same = a->is_known == b->is_known && a->is_outdated == b->is_outdated &&
	            a->written_ms / 1000 == b->written_ms / 1000;

	for (int i = 0; i < REGISTRY_FILES; i++)
		same &= a->files[i].bytes == b->files[i].bytes &&
		        a->files[i].identity == b->files[i].identity &&
		        a->files[i].fingerprint == b->files[i].fingerprint;
	return same;
}

static bool
same_state(const struct registry_run *a, const struct registry_run *b)
{
	return strcmp(a->status, b->status) == 0 && a->is_terminal == b->is_terminal &&
	       a->is_deleted == b->is_deleted && a->exit_code == b->exit_code &&
	       a->start_time_ms == b->start_time_ms && a->end_time_ms == b->end_time_ms &&
	       a->first_seen_ms == b->first_seen_ms && same_ending(&a->ending, &b->ending);
}

static void
announce(struct registry_writer *writer, uint32_t slot)
{
	struct registry_header *header = writer->registry.header;
	uint64_t at = header->changes;

	/* After the change itself and after the count that makes its place a stale one. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&writer->registry.ring[at & (REGISTRY_RING_ENTRIES - 1)], slot,
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&header->changes, at + 1, __ATOMIC_RELEASE);
}

/* Gives the slot its next state. was: what it holds now, NULL for a slot that is to be new. */
static int
write_slot(struct registry_writer *writer, uint32_t at, const struct registry_run *was,
           const struct registry_run *run)
{
	struct registry_slot *slot = &writer->registry.slots[at];
	uint32_t sequence = slot->sequence, next = sequence + 1;
	const struct registry_state *valid = sequence ? &slot->copy[sequence & 1] : NULL;
	union {
		struct registry_state state;
		uint64_t words[sizeof(struct registry_state) / sizeof(uint64_t)];
	} copy = { .state = {
		.exit_code = run->exit_code,
		.flags = (uint8_t)((run->is_terminal ? REGISTRY_IS_TERMINAL : 0) |
		                   (run->is_deleted ? REGISTRY_IS_DELETED : 0) |
		                   (run->ending.is_known ? REGISTRY_HAS_ENDING : 0) |
		                   (run->ending.is_outdated ? REGISTRY_ENDED_AGAIN : 0)),
		.start_time_ms = run->start_time_ms,
		.end_time_ms = run->end_time_ms,
		.first_seen_ms = run->first_seen_ms,
	} };
	struct texts texts;
	int error;

	gather_texts(run, &texts);
	memcpy(copy.state.text_length, texts.length, sizeof(texts.length));
	copy.state.status_length = (uint8_t)strnlen(run->status, REGISTRY_STATUS_BYTES);
	memcpy(copy.state.status, run->status, copy.state.status_length);
	copy.state.ending_written_s = (uint32_t)(run->ending.written_ms / 1000);
	for (int i = 0; i < REGISTRY_FILES; i++) {
		copy.state.ending_bytes[i] = run->ending.files[i].bytes;
		copy.state.ending_identity[i] = run->ending.files[i].identity;
		copy.state.ending_fingerprint[i] = run->ending.files[i].fingerprint;
	}

	/* The sequence that made the other copy and block stale comes before what is put there. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (valid && was && same_texts(was, run)) {
		copy.state.text = valid->text;
	} else {
		error = write_texts(writer, slot, valid, &texts, &copy.state.text);
		if (error)
			return error;
	}
	if (was && was->is_terminal &&
	    (!run->is_terminal || run->ending.is_outdated)) /* as announce() is about to count it */
		__atomic_store_n(&slot->went_on_at, writer->registry.header->changes + 1,
		                 __ATOMIC_RELAXED);
	if (next == 0) /* 0 means never used; the lowest bit still has to alternate */
		next = 2;
	store_words((uint64_t *)(void *)&slot->copy[next & 1], copy.words,
	            sizeof(copy.words) / sizeof(copy.words[0]));
	__atomic_store_n(&slot->sequence, next, __ATOMIC_RELEASE);
	return 0;
}

/* --- opening ------------------------------------------------------------------------------------ */

int
registry_writer_open(int fd, struct registry_writer **ret_writer)
{
	struct registry_writer *writer = calloc(1, sizeof(*writer));
	struct registry_header *header;
	int error;

	if (!writer)
		return -ENOMEM;
	writer->fd = fd;
	error = registry_map(fd, true, &writer->registry);
	if (error)
		goto fail;
	header = writer->registry.header;
	if (header->slot_count > header->capacity ||
	    header->text_used_bytes > header->text_reserved_bytes ||
	    header->text_reserved_bytes > header->text_bytes ||
	    header->slots_reserved_bytes / sizeof(struct registry_slot) < header->slot_count) {
		error = -EPROTO;
		goto fail;
	}
	error = registry_index_rebuild(writer, registry_count(&writer->registry));
	if (error)
		goto fail;
	/* A change may have been made and not announced: nobody's place in the ring is good. */
	__atomic_store_n(&header->changes, header->changes + REGISTRY_RING_ENTRIES,
	                 __ATOMIC_RELEASE);
	*ret_writer = writer;
	return 0;
fail:
	registry_writer_close(&writer);
	return error;
}

void
registry_writer_close(struct registry_writer **writer)
{
	if (!*writer)
		return;
	registry_unmap(&(*writer)->registry);
	free((*writer)->reusable);
	free(*writer);
	*writer = NULL;
}

const struct registry *
registry_writer_view(const struct registry_writer *writer)
{
	return &writer->registry;
}

const uint64_t *
registry_writer_live(const struct registry_writer *writer)
{
	return writer->live;
}

/* --- putting ------------------------------------------------------------------------------------ */

static int
find_reusable(struct registry_writer *writer)
{
	uint32_t count = registry_count(&writer->registry);

	for (uint32_t slot = count; slot-- > 0;) {
		struct registry_run run;

		if (registry_at(&writer->registry, slot, &run) != 0 || !run.is_deleted)
			continue;
		if (writer->reusable_count == writer->reusable_capacity) {
			size_t capacity = writer->reusable_capacity ? writer->reusable_capacity * 2 : 64;
			uint32_t *grown = realloc(writer->reusable, capacity * sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			writer->reusable = grown;
			writer->reusable_capacity = capacity;
		}
		writer->reusable[writer->reusable_count++] = slot;
	}
	return 0;
}

/* Takes the slot of a run that is deleted: the one that is returned in *ret_was. */
static int
reuse_slot(struct registry_writer *writer, struct registry_run *ret_was)
{
	while (writer->deleted > 0) {
		int error;

		while (writer->reusable_count > 0) {
			uint32_t slot = writer->reusable[--writer->reusable_count];

			if (registry_at(&writer->registry, slot, ret_was) == 0 && ret_was->is_deleted)
				return 0;
		}
		error = find_reusable(writer);
		if (error)
			return error;
		if (writer->reusable_count == 0)
			break;
	}
	return -ENOSPC;
}

static int
add(struct registry_writer *writer, const struct registry_run *run, uint32_t *ret_slot)
{
	struct registry *registry = &writer->registry;
	struct registry_header *header = registry->header;
	struct registry_run was;
	uint32_t slot = header->slot_count;
	int error = registry_index_make_room(writer);

	if (error)
		return error;
	if (slot < registry->capacity) {
		error = reserve_area(writer, registry->slots,
		                     registry->capacity * sizeof(struct registry_slot),
		                     &header->slots_reserved_bytes,
		                     (slot + UINT64_C(1)) * sizeof(struct registry_slot));
		if (!error)
			error = write_slot(writer, slot, NULL, run);
		if (error)
			return error;
		__atomic_store_n(&header->slot_count, slot + 1, __ATOMIC_RELEASE);
	} else {
		error = reuse_slot(writer, &was);
		if (error)
			return error;
		slot = was.slot;
		error = write_slot(writer, slot, &was, run);
		if (error)
			return error;
		registry_index_remove(writer, was.run_id, slot);
		registry_index_count(writer, &was, -1);
	}
	registry_index_add(writer, run->run_id, slot);
	registry_index_count(writer, run, +1);
	*ret_slot = slot;
	return 0;
}

int
registry_writer_put(struct registry_writer *writer, const struct registry_run *run,
                    uint32_t *ret_slot, bool *ret_changed)
{
	struct registry_run was;
	uint32_t slot;
	bool changed = true;
	int error;

	if (run->run_id[0] == '\0')
		return -EINVAL;
	error = registry_find(&writer->registry, run->run_id, &was);
	if (error == -ENOENT) {
		error = add(writer, run, &slot);
	} else if (error == 0) {
		slot = was.slot;
		changed = !same_texts(&was, run) || !same_state(&was, run);
		if (changed)
			error = write_slot(writer, slot, &was, run);
		if (!error && changed) {
			registry_index_count(writer, run, +1);
			registry_index_count(writer, &was, -1);
		}
	}
	if (error)
		return error;
	if (changed)
		announce(writer, slot);
	if (ret_slot)
		*ret_slot = slot;
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

bool
registry_writer_has_runs(const struct registry_writer *writer)
{
	return registry_count(&writer->registry) > writer->deleted;
}

int
registry_writer_mark_deleted(struct registry_writer *writer, uint32_t slot)
{
	struct registry_run run;
	int error = registry_at(&writer->registry, slot, &run);

	if (error)
		return error;
	run.is_deleted = true;
	return registry_writer_put(writer, &run, NULL, NULL);
}

/* --- looks -------------------------------------------------------------------------------------- */

void
registry_writer_look_begin(struct registry_writer *writer)
{
	uint64_t *begun = &writer->registry.header->looks_begun;

	writer->look = *begun + 1;
	__atomic_store_n(begun, writer->look, __ATOMIC_SEQ_CST);
}

void
registry_writer_take_over(struct registry_writer *writer)
{
	uint64_t *begun = &writer->registry.header->looks_begun;

	__atomic_store_n(begun, ((*begun >> REGISTRY_LOOKS_BITS) + 1) << REGISTRY_LOOKS_BITS,
	                 __ATOMIC_SEQ_CST);
}

void
registry_writer_leave_out(struct registry_writer *writer, uint32_t slot, bool is_left_out)
{
	must(slot < registry_count(&writer->registry));
	__atomic_store_n(&writer->registry.slots[slot].is_left_out, is_left_out, __ATOMIC_RELEASE);
}

void
registry_writer_look_was_whole(struct registry_writer *writer)
{
	/* As it began: whoever asked during it is not answered by it, also where it took over. */
	__atomic_store_n(&writer->registry.header->looks_whole, writer->look, __ATOMIC_RELEASE);
}

void
registry_writer_look_was_full(struct registry_writer *writer, bool is_full)
{
	__atomic_store_n(&writer->registry.header->is_full, is_full, __ATOMIC_RELEASE);
}

void
registry_writer_look_finish(struct registry_writer *writer)
{
	struct registry_header *header = writer->registry.header;

	/* Not one more: a look that a killed writer began is finished with the next one. */
	__atomic_store_n(&header->looks_finished, header->looks_begun, __ATOMIC_RELEASE);
}
