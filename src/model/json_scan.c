#include "model/json_scan.h"

#include <errno.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "model/utf8.h"

/* --- the grammar (RFC 8259): each returns what follows, or NULL --------------------------------- */

static const uint8_t *
skip_blanks(const uint8_t *at, const uint8_t *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Whether a byte stands for itself inside a string, whatever is beside it. */
static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Most of the bytes of events stand for themselves: many are looked at in one go. */
static const uint8_t *
skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		/* Compared as signed numbers, 0x80 to 0xff are below 0x20 too. */
		__m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
		__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
		__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
		int special = _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));

		if (special)
			return at + __builtin_ctz((unsigned)special);
	}
#endif
	while (at < end && is_plain(*at))
		at++;
	return at;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 if they are not there. */
static int32_t
hex_4(const uint8_t *at, const uint8_t *end)
{
	int32_t value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* From behind a backslash. */
static const uint8_t *
skip_escape(const uint8_t *at, const uint8_t *end)
{
	if (at == end)
		return NULL;
	switch (*at) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return at + 1;
	case 'u':
		return hex_4(at + 1, end) < 0 ? NULL : at + 5;
	default:
		return NULL;
	}
}

static const uint8_t *
skip_string(const uint8_t *at, const uint8_t *end)
{
	if (at == end || *at++ != '"')
		return NULL;
	for (;;) {
		at = skip_plain(at, end);
		if (at == end || *at < 0x20)
			return NULL;
		if (*at == '"')
			return at + 1;
		if (*at == '\\') {
			at = skip_escape(at + 1, end);
			if (!at)
				return NULL;
			continue;
		}
		while (at < end && *at >= 0x80) {
			int n = utf8_next(at, (size_t)(end - at));

			if (n < 0)
				return NULL;
			at += n;
		}
	}
}

static const uint8_t *
skip_digits(const uint8_t *at, const uint8_t *end)
{
	if (at == end || *at < '0' || *at > '9')
		return NULL;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static const uint8_t *
skip_number(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at == '-')
		at++;
	if (at < end && *at == '0')
		at++; /* and no digit behind it: it would be taken for an octal number */
	else
		at = skip_digits(at, end);
	if (at && at < end && *at == '.')
		at = skip_digits(at + 1, end);
	if (at && at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = skip_digits(at, end);
	}
	return at;
}

static const uint8_t *
skip_word(const uint8_t *at, const uint8_t *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

static const uint8_t *
skip_scalar(const uint8_t *at, const uint8_t *end, enum json_scan_type *ret_type)
{
	switch (*at) {
	case '"':
		*ret_type = JSON_SCAN_STRING;
		return skip_string(at, end);
	case 't':
		*ret_type = JSON_SCAN_BOOLEAN;
		return skip_word(at, end, "true");
	case 'f':
		*ret_type = JSON_SCAN_BOOLEAN;
		return skip_word(at, end, "false");
	case 'n':
		*ret_type = JSON_SCAN_NULL;
		return skip_word(at, end, "null");
	default:
		*ret_type = JSON_SCAN_NUMBER;
		return skip_number(at, end);
	}
}

/* A name and its colon, and the blanks on both sides: up to the value. */
static const uint8_t *
skip_name(const uint8_t *at, const uint8_t *end)
{
	at = skip_string(at, end);
	if (!at)
		return NULL;
	at = skip_blanks(at, end);
	return at < end && *at == ':' ? skip_blanks(at + 1, end) : NULL;
}

/* Without recursion: the levels that are open are bits of a word, 1 for an object, the innermost
 * the lowest. */
static const uint8_t *
skip_value(const uint8_t *at, const uint8_t *end, unsigned most_depth, enum json_scan_type *ret_type)
{
	enum json_scan_type type;
	uint64_t objects = 0;
	unsigned depth = 0;

	_Static_assert(JSON_SCAN_DEPTH <= 64, "a bit for each level");
	for (;;) {
		if (at == end)
			return NULL;
		if (*at == '{' || *at == '[') {
			bool is_object = *at == '{';

			if (depth == 0)
				*ret_type = is_object ? JSON_SCAN_OBJECT : JSON_SCAN_ARRAY;
			if (depth == most_depth)
				return NULL;
			depth++;
			objects = objects << 1 | is_object;
			at = skip_blanks(at + 1, end);
			if (at == end)
				return NULL;
			if (*at != (is_object ? '}' : ']')) {
				if (is_object)
					at = skip_name(at, end);
				if (!at)
					return NULL;
				continue;
			}
		} else {
			at = skip_scalar(at, end, depth == 0 ? ret_type : &type);
			if (!at || depth == 0)
				return at;
			at = skip_blanks(at, end);
		}
		/* Behind a value, or before the end of something empty. */
		for (;;) {
			if (at == end)
				return NULL;
			if (*at == ',') {
				at = skip_blanks(at + 1, end);
				if (objects & 1)
					at = skip_name(at, end);
				if (!at)
					return NULL;
				break;
			}
			if (*at != (objects & 1 ? '}' : ']'))
				return NULL;
			at++;
			objects >>= 1;
			if (--depth == 0)
				return at;
			at = skip_blanks(at, end);
		}
	}
}

/* --- texts -------------------------------------------------------------------------------------- */

static const uint8_t *
take_value(const uint8_t *at, const uint8_t *end, unsigned most_depth, struct json_value *ret_value)
{
	const uint8_t *behind = skip_value(at, end, most_depth, &ret_value->type);

	if (!behind)
		return NULL;
	ret_value->text = (const char *)at;
	ret_value->length = (size_t)(behind - at);
	return behind;
}

int
json_scan(const char *text, size_t length, struct json_value *ret_value)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + length;
	struct json_value value;

	at = take_value(skip_blanks(at, end), end, JSON_SCAN_DEPTH, &value);
	if (!at || skip_blanks(at, end) != end)
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

static int
begin_walk(const char *text, size_t length, char opening, struct json_walk *ret_walk)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + length;

	at = skip_blanks(at, end);
	if (at == end || *at != (uint8_t)opening)
		return -EBADMSG;
	*ret_walk = (struct json_walk){ .at = (const char *)at + 1, .end = (const char *)end };
	return 0;
}

int
json_walk_object(const char *text, size_t length, struct json_walk *ret_walk)
{
	return begin_walk(text, length, '{', ret_walk);
}

int
json_walk_array(const char *text, size_t length, struct json_walk *ret_walk)
{
	return begin_walk(text, length, '[', ret_walk);
}

/* Goes to the start of the next member or element: 1; 0 at the end; -EBADMSG. */
static int
advance(struct json_walk *walk, uint8_t closing, const uint8_t **ret_at)
{
	const uint8_t *end = (const uint8_t *)walk->end;
	const uint8_t *at = skip_blanks((const uint8_t *)walk->at, end);
	bool is_first = !walk->is_begun;

	walk->is_begun = true;
	if (at == end)
		return -EBADMSG;
	if (*at == closing)
		return skip_blanks(at + 1, end) == end ? 0 : -EBADMSG;
	if (!is_first) {
		if (*at != ',')
			return -EBADMSG;
		at = skip_blanks(at + 1, end);
	}
	*ret_at = at;
	return 1;
}

int
json_walk_member(struct json_walk *walk, struct json_member *ret_member)
{
	const uint8_t *end = (const uint8_t *)walk->end, *at, *name, *name_end;
	int r = advance(walk, '}', &at);

	if (r <= 0)
		return r;
	name = at;
	name_end = skip_string(at, end);
	if (!name_end)
		return -EBADMSG;
	at = skip_blanks(name_end, end);
	if (at == end || *at != ':')
		return -EBADMSG;
	at = take_value(skip_blanks(at + 1, end), end, JSON_SCAN_DEPTH - 1, &ret_member->value);
	if (!at)
		return -EBADMSG;
	ret_member->name = (const char *)name + 1;
	ret_member->name_length = (size_t)(name_end - name) - 2;
	walk->at = (const char *)at;
	return 1;
}

int
json_walk_element(struct json_walk *walk, struct json_value *ret_value)
{
	const uint8_t *at;
	int r = advance(walk, ']', &at);

	if (r <= 0)
		return r;
	at = take_value(at, (const uint8_t *)walk->end, JSON_SCAN_DEPTH - 1, ret_value);
	if (!at)
		return -EBADMSG;
	walk->at = (const char *)at;
	return 1;
}
