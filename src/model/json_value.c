/* What the values of a text say that json_scan.c found valid. */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "model/json_scan.h"

/* --- strings ------------------------------------------------------------------------------------ */

/* The four digits behind \u. */
static uint32_t
hex_4(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
	return value;
}

static size_t
put_utf8(uint32_t c, char to[static 4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* From behind \u, of valid text. */
static const uint8_t *
read_unicode(const uint8_t *at, const uint8_t *end, uint32_t *ret_character)
{
	uint32_t c = hex_4(at);

	at += 4;
	if (c >= 0xd800 && c <= 0xdfff) {
		uint32_t low = 0;

		if (c <= 0xdbff && end - at >= 6 && at[0] == '\\' && at[1] == 'u')
			low = hex_4(at + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
			at += 6;
		} else {
			c = 0xfffd;
		}
	}
	*ret_character = c;
	return at;
}

/* From behind a backslash, of valid text: the bytes that it stands for. */
static const uint8_t *
read_escape(const uint8_t *at, const uint8_t *end, char to[static 4], size_t *ret_length)
{
	uint32_t c = *at++;

	switch (c) {
	case 'b':
		c = '\b';
		break;
	case 'f':
		c = '\f';
		break;
	case 'n':
		c = '\n';
		break;
	case 'r':
		c = '\r';
		break;
	case 't':
		c = '\t';
		break;
	case 'u':
		at = read_unicode(at, end, &c);
		break;
	default: /* itself */
		break;
	}
	*ret_length = put_utf8(c, to);
	return at;
}

/* Whether the inside of a valid string is this text. */
static bool
inside_is(const char *inside, size_t length, const char *text, size_t text_length)
{
	const uint8_t *at = (const uint8_t *)inside, *end = at + length;

	/* What is escaped is longer than what it stands for. */
	if (length <= text_length)
		return length == text_length && memcmp(inside, text, length) == 0 &&
		       !memchr(inside, '\\', length);
	if (!memchr(inside, '\\', length))
		return false;
	while (at < end) {
		char bytes[4] = { (char)*at };
		size_t n = 1;

		if (*at == '\\')
			at = read_escape(at + 1, end, bytes, &n);
		else
			at++;
		if (n > text_length || memcmp(bytes, text, n) != 0)
			return false;
		text += n;
		text_length -= n;
	}
	return text_length == 0;
}

bool
json_member_is(const struct json_member *member, const char *name)
{
	return inside_is(member->name, member->name_length, name, strlen(name));
}

bool
json_value_is(const struct json_value *value, const char *text, size_t length)
{
	return value->type == JSON_SCAN_STRING &&
	       inside_is(value->text + 1, value->length - 2, text, length);
}

int
json_value_text(const struct json_value *value, char *to, size_t capacity, size_t *ret_length)
{
	const uint8_t *at, *end;
	size_t length = 0;

	if (value->type != JSON_SCAN_STRING)
		return -EINVAL;
	at = (const uint8_t *)value->text + 1;
	end = (const uint8_t *)value->text + value->length - 1;
	while (at < end) {
		const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
		size_t n = (size_t)((escape ? escape : end) - at);
		char bytes[4];

		if (n > capacity - length)
			return -EMSGSIZE;
		memcpy(to + length, at, n);
		length += n;
		if (!escape)
			break;
		at = read_escape(escape + 1, end, bytes, &n);
		if (n > capacity - length)
			return -EMSGSIZE;
		memcpy(to + length, bytes, n);
		length += n;
	}
	*ret_length = length;
	return 0;
}

/* --- numbers ------------------------------------------------------------------------------------ */

int
json_value_u64(const struct json_value *value, uint64_t *ret_number)
{
	if (value->type != JSON_SCAN_NUMBER)
		return -EINVAL;
	return num_parse_u64(value->text, value->length, ret_number);
}

int
json_value_i64(const struct json_value *value, int64_t *ret_number)
{
	bool is_negative;
	uint64_t number;
	int error;

	if (value->type != JSON_SCAN_NUMBER)
		return -EINVAL;
	is_negative = value->text[0] == '-';
	error = num_parse_u64(value->text + is_negative, value->length - is_negative, &number);
	if (error)
		return error;
	if (number > INT64_MAX)
		return -ERANGE;
	*ret_number = is_negative ? -(int64_t)number : (int64_t)number;
	return 0;
}
