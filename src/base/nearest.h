/* The nearest right word for a mistyped one: "did you mean …?". */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/*
 * Returns the candidate (borrowed) with the smallest edit distance to word (insertions,
 * deletions, substitutions, swaps of neighbours: the restricted Damerau-Levenshtein distance),
 * or NULL if none is near: more than a third of its length away, or more than 3.
 */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
