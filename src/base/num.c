#include "base/num.h"

#include <errno.h>
#include <string.h>

int
num_parse_u64(const char *text, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (length == 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';

		if (digit > 9)
			return -EINVAL;
		if (value > (UINT64_MAX - digit) / 10) {
			/* The rest must still be digits for this to be a number too large. */
			for (; i < length; i++)
				if ((unsigned char)text[i] - (unsigned)'0' > 9)
					return -EINVAL;
			return -ERANGE;
		}
		value = value * 10 + digit;
	}
	*ret_value = value;
	return 0;
}

size_t
num_format_u64(uint64_t value, char ret_text[static NUM_U64_BYTES])
{
	char digits[NUM_U64_BYTES];
	size_t at = NUM_U64_BYTES;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	memcpy(ret_text, digits + at, NUM_U64_BYTES - at);
	return NUM_U64_BYTES - at;
}
