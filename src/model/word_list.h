/* A list in one string: words with blanks or commas between them. */
#ifndef MODEL_WORD_LIST_H
#define MODEL_WORD_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Goes through them: *at is the list at first. Borrows the word. False at the end. */
bool word_list_next(const char **at, const char **ret_word, size_t *ret_length);

#endif
