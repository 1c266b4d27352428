#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LONGEST + 1];
	size_t *before = rows[0], *previous = rows[1], *current = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		previous[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *spare = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t cost = a[i - 1] != b[j - 1];

			current[j] = smaller(smaller(previous[j] + 1, current[j - 1] + 1),
			                     previous[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				current[j] = smaller(current[j], before[j - 2] + 1);
		}
		before = previous;
		previous = current;
		current = spare;
	}
	return previous[b_length];
}

const char *
nearest_word(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strlen(word), best = 4;
	const char *found = NULL;

	if (length > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t candidate_length = strlen(candidates[i]), d;

		if (candidate_length > LONGEST)
			continue;
		d = distance(word, length, candidates[i], candidate_length);
		if (d < best && d * 3 <= (candidate_length > 3 ? candidate_length : 3)) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}
