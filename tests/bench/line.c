#include "line.h"

#include <string.h>

#include "base/must.h"

static void
put_digits(char *text, int digits, uint64_t value)
{
	while (digits-- > 0) {
		text[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
line_format(char *ret_text, size_t length, uint64_t seq, int64_t ts_ns)
{
	must(length >= LINE_BYTES_MIN);
	memcpy(ret_text, "seq=", 4);
	put_digits(ret_text + 4, LINE_SEQ_DIGITS, seq);
	memcpy(ret_text + 4 + LINE_SEQ_DIGITS, " ts=", 4);
	put_digits(ret_text + 8 + LINE_SEQ_DIGITS, LINE_TS_DIGITS, (uint64_t)ts_ns);
	ret_text[LINE_BYTES_MIN - 1] = ' ';
	memset(ret_text + LINE_BYTES_MIN, 'x', length - LINE_BYTES_MIN);
}

static bool
get_digits(const char *text, int digits, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (int i = 0; i < digits; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';
		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

bool
line_find(const char *data, size_t length, size_t *hint, uint64_t *ret_seq, int64_t *ret_ts_ns)
{
	if (length < LINE_BYTES_MIN)
		return false;
	const char *line = data + *hint;
	if (*hint > length - LINE_BYTES_MIN || memcmp(line, "seq=", 4) != 0) {
		line = memmem(data, length, "seq=", 4);
		if (!line || (size_t)(data + length - line) < LINE_BYTES_MIN)
			return false;
		*hint = (size_t)(line - data);
	}
	uint64_t ts_ns;
	if (!get_digits(line + 4, LINE_SEQ_DIGITS, ret_seq) ||
	    memcmp(line + 4 + LINE_SEQ_DIGITS, " ts=", 4) != 0 ||
	    !get_digits(line + 8 + LINE_SEQ_DIGITS, LINE_TS_DIGITS, &ts_ns))
		return false;
	*ret_ts_ns = (int64_t)ts_ns;
	return true;
}
