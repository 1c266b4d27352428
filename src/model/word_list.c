#include "model/word_list.h"

#include <string.h>

#define SEPARATORS " ,"

bool
word_list_next(const char **at, const char **ret_word, size_t *ret_length)
{
	const char *word = *at + strspn(*at, SEPARATORS);
	size_t length = strcspn(word, SEPARATORS);

	*at = word + length;
	if (length == 0)
		return false;
	*ret_word = word;
	*ret_length = length;
	return true;
}
