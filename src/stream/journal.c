#include "stream/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "follow/hash_table.h"

void
journal_owner_unref(struct journal_owner *owner)
{
	must(owner->references > 0);
	if (--owner->references == 0)
		owner->free(owner);
}

/* --- segments --------------------------------------------------------------------------------------------- */

static struct journal_segment *
new_segment(size_t capacity)
{
	struct journal_segment *segment = malloc(sizeof(*segment) + capacity * sizeof(segment->entries[0]));

	must(segment);
	*segment = (struct journal_segment){ .capacity = capacity };
	return segment;
}

static void
drop_entry(struct journal_entry *entry)
{
	block_unref(&entry->block);
	if (entry->from.generation)
		place_fini(&entry->from);
	journal_owner_unref(entry->owner);
}

static void
drop_entries(struct journal_segment *segment)
{
	for (size_t i = 0; i < segment->count; i++)
		drop_entry(&segment->entries[i]);
	segment->count = 0;
}

static void
free_segment(struct journal *journal, struct journal_segment *segment)
{
	TAILQ_REMOVE(&journal->segments, segment, link);
	drop_entries(segment);
	free(segment);
}

static struct journal_segment *
last_of(const struct journal *journal)
{
	return TAILQ_LAST(&journal->segments, journal_segments);
}

/* --- joining ------------------------------------------------------------------------------------------------ */

/* What an entry may be joined with: the last one with the same key. */
struct joint {
	struct {
		struct journal_owner *owner;
		struct generation *generation; /* NULL: a status */
		uint64_t file;
	} key;
	size_t index; /* in the new segment */
	UT_hash_handle hh;
};

static void
join_entry(struct journal_segment *to, struct joint **joints, struct joint *spare, size_t *spare_count,
           struct journal_entry *entry)
{
	struct joint *joint, *mine = &spare[*spare_count];

	if (entry->kind == JOURNAL_TEXT) {
		to->entries[to->count++] = *entry;
		return;
	}
	memset(mine, 0, sizeof(*mine));
	mine->key.owner = entry->owner;
	mine->key.generation = entry->from.generation;
	mine->key.file = entry->file;
	HASH_FIND(hh, *joints, &mine->key, sizeof(mine->key), joint);
	if (joint && entry->kind == JOURNAL_EXTENT && to->entries[joint->index].to == entry->from.offset) {
		struct journal_entry *before = &to->entries[joint->index];

		before->to = entry->to;
		before->ends_open = entry->ends_open;
		before->ends_finished = entry->ends_finished;
		drop_entry(entry);
		return;
	}
	if (joint && entry->kind == JOURNAL_STATUS) {
		/* The later one stays where it is: its id says that all before it was given. */
		drop_entry(&to->entries[joint->index]);
		to->entries[joint->index].owner = NULL;
	}
	mine->index = to->count;
	to->entries[to->count++] = *entry;
	if (joint) {
		joint->index = mine->index;
		return;
	}
	++*spare_count;
	HASH_ADD(hh, *joints, key, sizeof(mine->key), mine);
}

static void
close_holes(struct journal_segment *segment)
{
	size_t kept = 0;

	for (size_t i = 0; i < segment->count; i++)
		if (segment->entries[i].owner)
			segment->entries[kept++] = segment->entries[i];
	segment->count = kept;
}

/* Two neighbours without readers become one, in which each file has one extent as far as can be. */
static void
join_segments(struct journal *journal, struct journal_segment *a, struct journal_segment *b)
{
	struct journal_segment *from[] = { a, b }, *joined = new_segment(a->count + b->count);
	struct joint *joints = NULL, *spare = calloc(a->count + b->count + 1, sizeof(*spare));
	size_t spare_count = 0;

	must(spare);
	for (int s = 0; s < 2; s++) {
		for (size_t i = 0; i < from[s]->count; i++)
			join_entry(joined, &joints, spare, &spare_count, &from[s]->entries[i]);
		from[s]->count = 0; /* moved, or dropped */
	}
	HASH_CLEAR(hh, joints);
	free(spare);
	close_holes(joined);
	TAILQ_INSERT_BEFORE(a, joined, link);
	free_segment(journal, a);
	free_segment(journal, b);
}

/* A reader left the segment, or it is no longer the last. */
static void
tidy(struct journal *journal, struct journal_segment *segment)
{
	struct journal_segment *first = TAILQ_FIRST(&journal->segments), *last = last_of(journal);
	struct journal_segment *before, *behind;

	while (first != last && first->readers == 0) {
		struct journal_segment *next = TAILQ_NEXT(first, link);

		if (first == segment)
			segment = NULL;
		free_segment(journal, first);
		first = next;
	}
	if (!segment || segment->readers > 0 || segment == last)
		return;
	before = TAILQ_PREV(segment, journal_segments, link);
	behind = TAILQ_NEXT(segment, link);
	if (behind != last && behind->readers == 0)
		join_segments(journal, segment, behind);
	else if (before && before->readers == 0)
		join_segments(journal, before, segment);
}

/* --- writing --------------------------------------------------------------------------------------------------- */

void
journal_init(struct journal *journal)
{
	struct journal_segment *segment = new_segment(JOURNAL_SEGMENT_ENTRIES);

	*journal = (struct journal){ .next_number = 1 };
	TAILQ_INIT(&journal->segments);
	TAILQ_INSERT_TAIL(&journal->segments, segment, link);
}

void
journal_fini(struct journal *journal)
{
	struct journal_segment *segment;

	while ((segment = TAILQ_FIRST(&journal->segments)) != NULL)
		free_segment(journal, segment);
}

void
journal_append(struct journal *journal, const struct journal_entry *entry)
{
	struct journal_segment *last = last_of(journal);
	struct journal_entry *added;

	if (last->count == last->capacity) {
		struct journal_segment *full = last;

		last = new_segment(JOURNAL_SEGMENT_ENTRIES);
		TAILQ_INSERT_TAIL(&journal->segments, last, link);
		tidy(journal, full);
	}
	added = &last->entries[last->count++];
	*added = *entry;
	journal_owner_ref(added->owner);
	added->number = journal->next_number++;
	added->bytes_before = journal->bytes;
	if (added->kind != JOURNAL_EXTENT)
		return;
	added->owner->extents[added->file].last = added->number;
	journal->bytes += added->to - added->from.offset;
}

void
journal_forget(struct journal *journal)
{
	struct journal_segment *last = last_of(journal);

	must(TAILQ_FIRST(&journal->segments) == last);
	drop_entries(last);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

void
journal_join(struct journal *journal, struct journal_reader *reader)
{
	reader->segment = last_of(journal);
	reader->index = reader->segment->count;
	reader->segment->readers++;
}

void
journal_leave(struct journal *journal, struct journal_reader *reader)
{
	reader->segment->readers--;
	tidy(journal, reader->segment);
	reader->segment = NULL;
}

const struct journal_entry *
journal_at(struct journal *journal, struct journal_reader *reader)
{
	struct journal_segment *next;

	while (reader->index >= reader->segment->count) {
		struct journal_segment *left = reader->segment;

		next = TAILQ_NEXT(left, link);
		if (!next) {
			/* Forgotten meanwhile, perhaps. */
			reader->index = left->count;
			return NULL;
		}
		left->readers--;
		next->readers++;
		reader->segment = next;
		reader->index = 0;
		tidy(journal, left);
	}
	return &reader->segment->entries[reader->index];
}

void
journal_pass(struct journal_reader *reader)
{
	must(reader->index < reader->segment->count);
	reader->index++;
}

static bool
is_extent_of(const struct journal_entry *entry, const struct journal_owner *owner, enum cursor_file file)
{
	return entry->kind == JOURNAL_EXTENT && entry->owner == owner && entry->file == file;
}

/* The number of what is at the reader's place; UINT64_MAX: it is at the end. */
static uint64_t
number_at(const struct journal_reader *reader)
{
	size_t i = reader->index;

	for (const struct journal_segment *s = reader->segment; s; s = TAILQ_NEXT(s, link), i = 0)
		if (i < s->count)
			return s->entries[i].number;
	return UINT64_MAX;
}

/* The entry with a number, from the reader's place on, or NULL. */
static const struct journal_entry *
find_number(const struct journal_reader *reader, uint64_t number)
{
	const struct journal_segment *s = reader->segment;
	size_t low = 0, high;

	while (s && (s->count == 0 || s->entries[s->count - 1].number < number))
		s = TAILQ_NEXT(s, link);
	if (!s)
		return NULL;
	for (high = s->count; low < high;) {
		size_t middle = (low + high) / 2;

		if (s->entries[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return s->entries[low].number == number ? &s->entries[low] : NULL;
}

const struct journal_entry *
journal_first_extent(const struct journal_reader *reader, struct journal_owner *owner, enum cursor_file file)
{
	uint64_t at = number_at(reader);
	const struct journal_entry *found;
	size_t i = reader->index;

	/* Joined, an extent bears the number of its first part, which is behind all who are before it. */
	if (owner->extents[file].last < at)
		return NULL;
	if (owner->extents[file].from <= at && at <= owner->extents[file].first) {
		found = find_number(reader, owner->extents[file].first);
		if (found && is_extent_of(found, owner, file))
			return found;
	}
	for (const struct journal_segment *s = reader->segment; s; s = TAILQ_NEXT(s, link), i = 0)
		for (; i < s->count; i++)
			if (is_extent_of(&s->entries[i], owner, file)) {
				owner->extents[file].from = at;
				owner->extents[file].first = s->entries[i].number;
				return &s->entries[i];
			}
	return NULL;
}
