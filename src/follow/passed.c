#include "follow/passed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow/file_generation.h"
#include "follow/neighbours.h"

void
passed_fini(struct passed *p)
{
	free(p->list);
	*p = (struct passed){ .count = 0 };
}

int
passed_copy(const struct passed *from, struct passed *ret_to)
{
	*ret_to = (struct passed){ .count = from->count };
	if (from->count == 0)
		return 0;
	ret_to->list = calloc(from->count, sizeof(from->list[0]));
	if (!ret_to->list)
		return -ENOMEM;
	memcpy(ret_to->list, from->list, from->count * sizeof(from->list[0]));
	return 0;
}

void
passed_note(struct passed *p, struct generation *left, int64_t left_ms)
{
	if (left->identity == 0)
		return;
	if (!p->list)
		p->list = calloc(PASSED_MOST, sizeof(p->list[0]));
	if (!p->list)
		return;
	if (p->count == PASSED_MOST)
		memmove(p->list, p->list + 1, --p->count * sizeof(p->list[0]));
	p->list[p->count++] = (struct passed_one){
		.identity = left->copy_of ? left->copy_of : left->identity,
		.left_ms = left_ms,
		.born = file_generation_of(left)->born,
		.is_empty = left->size_bytes == 0,
		.is_lost = left->copy_of || (left->state == GENERATION_LOST &&
		                             (left->next->identity == left->identity ||
		                              left->next->copy_of == left->identity)),
		.known = { .offset = left->known_to, .fingerprint = left->known_fingerprint },
	};
}

const struct passed_one *
passed_find(const struct passed *p, uint32_t identity)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->list[i].identity == identity)
			return &p->list[i];
	return NULL;
}

bool
passed_was_emptied(const struct passed *p, uint32_t identity, int64_t since_ms)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct passed_one *one = &p->list[i];

		if (one->is_lost && !one->is_empty && one->identity == identity && one->left_ms > since_ms)
			return true;
	}
	return false;
}

/* Where a file is among the parts; count: at the end of them, beyond: nowhere. */
static size_t
find_part(const struct passed_part *parts, size_t count, uint32_t end, uint32_t identity)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].identity == identity)
			return i;
	return identity == end ? count : SIZE_MAX;
}

/* A copy of it; SIZE_MAX: there is none. */
static size_t
find_copy(const struct passed_part *parts, size_t count, const struct passed_one *one)
{
	for (size_t i = 0; i < count && one->known.offset > 0; i++)
		if (parts[i].identity != one->identity && neighbour_holds(parts[i].fd, &one->known))
			return i;
	return SIZE_MAX;
}

/* The part that one comes behind: those that were passed before it, and are there, tell. */
static size_t
find_before(const struct passed *p, size_t index, const struct passed_part *parts, size_t count, uint32_t end)
{
	while (index-- > 0) {
		size_t at = find_part(parts, count, end, p->list[index].identity);

		if (at == SIZE_MAX)
			at = find_copy(parts, count, &p->list[index]);
		if (at < count)
			return at;
	}
	return SIZE_MAX;
}

/* The same by those that were passed after it. */
static size_t
find_behind(const struct passed *p, size_t index, const struct passed_part *parts, size_t count, uint32_t end)
{
	while (++index < p->count) {
		size_t at = find_part(parts, count, end, p->list[index].identity);

		if (at <= count)
			return at;
	}
	return count;
}

/* (Of the same tick of the file system's clock, it may have been: it is better told than left out.) */
static bool
is_made_after(const struct passed_one *one, const struct passed_part *parts, size_t count)
{
	struct neighbour first;
	struct stat stat;

	if (count == 0 || one->born.tv_sec == 0 || fstat(parts[0].fd, &stat) < 0)
		return false;
	neighbour_of_fd(parts[0].fd, &stat, &first);
	return first.born.tv_sec != 0 && neighbour_compare_times(&one->born, &first.born) >= 0;
}

static void
mark_one(const struct passed *p, size_t index, const struct passed_part *parts, size_t count, uint32_t end)
{
	const struct passed_one *one = &p->list[index];
	size_t own = find_part(parts, count, end, one->identity), copy = find_copy(parts, count, one), before;
	/* It may have been emptied after it was left, or so shortly before that nobody saw it. */
	bool is_lost = one->is_lost || (own < count && one->known.offset > 0 &&
	                                neighbour_verify(parts[own].fd, &one->known) == 0);

	if (one->is_empty || own == 0 || (own <= count && !is_lost) || (copy < count && !is_lost))
		return;
	/* What was written between a copy and its file's being emptied is lost; all of it without one. */
	before = copy;
	if (before >= count && own <= count)
		before = own - 1;
	if (before >= count)
		before = find_before(p, index, parts, count, end);
	if (before >= count) {
		before = find_behind(p, index, parts, count, end);
		before -= before > 0;
	}
	if (!*parts[before].lost)
		*parts[before].lost = is_lost ? "truncated" : "replaced";
}

void
passed_mark(const struct passed *p, uint32_t start, const struct passed_part *parts, size_t count, uint32_t end)
{
	size_t first = 0;

	/* What was passed before the place is no concern of who is in it. Where the place was not passed
	 * itself, only what was passed from one of the parts on is known to be behind it, and what was made
	 * later than the file with the place in it. */
	while (first < p->count && p->list[first].identity != start)
		first++;
	if (first == p->count)
		first = 0;
	while (first < p->count && p->list[first].identity != start &&
	       find_part(parts, count, end, p->list[first].identity) > count &&
	       find_copy(parts, count, &p->list[first]) >= count && !is_made_after(&p->list[first], parts, count))
		first++;
	for (size_t i = first; i < p->count && count > 0; i++)
		mark_one(p, i, parts, count, end);
}
