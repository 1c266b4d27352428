#include "follow/rotated_holder.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/file_generation.h"

/* Whether it holds the mark; if so, it stays open. */
static int
open_holder(const struct rotated_search *s, const struct neighbours *n, size_t index, struct rotated_part *ret_part,
            bool *ret_holds)
{
	const struct neighbour *at = &n->list[index];
	bool holds;
	int error;

	*ret_holds = false;
	if (at->is_packed || (uint64_t)at->stat.st_size < s->mark.offset)
		return 0;
	/* At the very start any file fits: only its identity tells. */
	if (s->mark.offset == 0 && at->identity != s->mark.identity)
		return 0;
	error = neighbours_open(n, index, &ret_part->stat, &ret_part->fd);
	if (error)
		return error == -ESTALE || error == -EMFILE || error == -ENFILE ? error : 0;
	holds = s->mark.offset == 0 || neighbour_holds(ret_part->fd, &s->mark);
	if (!holds)
		fd_close(&ret_part->fd);
	ret_part->identity = at->identity;
	ret_part->born = at->born;
	ret_part->lost = NULL;
	ret_part->copy_of = 0;
	*ret_holds = holds;
	return 0;
}

/* The end that is the file of the mark and holds it, as far as can be told by what lies before it; -1: neither. */
static int
fd_of_end_with_mark(const struct rotated_search *s)
{
	for (int i = 0; i < 2; i++) {
		int fd = file_generation_of(s->ends[i])->fd;

		if (fd >= 0 && s->ends[i]->identity == s->mark.identity && neighbour_holds(fd, &s->mark))
			return fd;
	}
	return -1;
}

/* Whether a later one begins with all of an earlier: that was made of the same before it went on. */
static bool
goes_on_from(const struct rotated_part *later, const struct rotated_part *earlier)
{
	uint64_t bytes = (uint64_t)earlier->stat.st_size, later_bytes = (uint64_t)later->stat.st_size;
	enum neighbour_likeness likeness = NEIGHBOUR_OTHER;

	if (later_bytes > bytes)
		likeness = neighbour_compare(later->fd, later_bytes, earlier->fd, bytes);
	return likeness == NEIGHBOUR_COPY || likeness == NEIGHBOUR_COPY_MAYBE;
}

/* Whether it may be a copy that was made since: also over an older file. end_stat: of the file, if that holds the
 * mark, or NULL: what it held before it was emptied was copied before that was written which it holds now; the one
 * before it may have been written to late, and what was put back keeps its time. */
static bool
may_be_copy(const struct neighbour *at, const struct timespec *since, const struct stat *end_stat)
{
	bool is_made = neighbour_is_born_after(&at->born, since);
	bool is_written = neighbour_compare_times(&at->stat.st_mtim, since) > 0;

	if (!end_stat)
		return is_made || is_written;
	return is_made && is_written && !neighbour_is_born_after(&at->born, &end_stat->st_mtim);
}

/* Finds the first copy of those that were made since; end_fd: as fd_of_end_with_mark() has it. */
static int
find_copy_since(struct rotated_search *s, const struct neighbours *n, const struct timespec *since, int end_fd,
                size_t *ret_index)
{
	bool is_emptied = end_fd < 0, holds = false;
	struct stat end_stat;
	int error = 0;

	if (end_fd >= 0 && fstat(end_fd, &end_stat) < 0)
		return -errno;
	for (size_t i = 0; i < n->count && !error; i++) {
		const struct neighbour *at = &n->list[i];
		struct rotated_part found;

		if (at->identity == s->mark.identity || rotated_search_is_current(s, &at->stat) ||
		    !may_be_copy(at, since, end_fd >= 0 ? &end_stat : NULL))
			continue;
		error = open_holder(s, n, i, &found, &holds);
		if (error || !holds)
			continue;
		if (!is_emptied)
			is_emptied = neighbour_compare_to_open(found.fd, (uint64_t)found.stat.st_size, end_fd) ==
			             NEIGHBOUR_OTHER;
		if (s->count > 0 && !goes_on_from(&found, &s->parts[0])) {
			fd_close(&found.fd);
			continue;
		}
		rotated_search_forget_parts(s);
		s->parts[s->count++] = found; /* takes the descriptor */
		*ret_index = i;
	}
	if (error || !is_emptied)
		rotated_search_forget_parts(s);
	return error || s->count > 0 ? error : -ENOENT;
}

/*
 * Of a mark that is so short that it need not tell its file from others that begin alike: the oldest copy that
 * was made since its content was begun to be read. Where the file itself holds the mark, it may yet have been
 * emptied since: that is told by a copy that goes on otherwise.
 */
static int
find_copy_of_short(struct rotated_search *s, const struct neighbours *n, size_t *ret_index)
{
	struct timespec since = clock_end_of_ms(s->mark.begun_ms);
	/* As a file of that moment may bear it. */
	struct timespec perhaps_since = clock_end_of_ms(s->mark.begun_ms - clock_file_lag_ms());
	int end_fd = fd_of_end_with_mark(s);
	int error = find_copy_since(s, n, &since, end_fd, ret_index);

	if (error == -ENOENT && end_fd >= 0)
		return -EALREADY;
	return error == -ENOENT ? find_copy_since(s, n, &perhaps_since, end_fd, ret_index) : error;
}

/* When the file of the mark was made; zero: that is not known. */
static struct timespec
birth_of_file(const struct rotated_search *s)
{
	const struct passed_one *passed = passed_find(&s->passed, s->mark.identity);

	for (int i = 0; i < 2; i++)
		if (s->ends[i]->identity == s->mark.identity)
			return file_generation_of(s->ends[i])->born;
	return passed ? passed->born : (struct timespec){ 0 };
}

/* Of a short mark without a time: what was there before its file, and not written to since, is no copy of it. */
static bool
is_alike_by_chance(const struct rotated_search *s, const struct neighbour *at)
{
	struct timespec born = birth_of_file(s);

	return cursor_mark_is_short(&s->mark) && at->born.tv_sec > 0 && neighbour_is_born_after(&born, &at->born) &&
	       neighbour_is_born_after(&born, &at->stat.st_mtim);
}

/* By identity first: a copy, too, begins with the same bytes. */
int
rotated_holder_find(struct rotated_search *s, const struct neighbours *n, size_t *ret_index)
{
	bool is_short = cursor_mark_is_short(&s->mark) && s->mark.begun_ms > 0, holds = false;
	int error = 0;

	for (int by_content = 0; by_content <= !is_short; by_content++)
		for (size_t i = n->count; i > 0 && !error && !holds; i--) {
			const struct neighbour *at = &n->list[i - 1];

			if ((at->identity == s->mark.identity) == by_content || rotated_search_is_current(s, &at->stat) ||
			    (by_content && is_alike_by_chance(s, at)))
				continue;
			error = open_holder(s, n, i - 1, &s->parts[0], &holds);
			*ret_index = i - 1;
		}
	s->count = holds;
	if (error || holds)
		return error;
	return is_short ? find_copy_of_short(s, n, ret_index) : -ENOENT;
}
