#include "model/feed_id.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* --- reading ------------------------------------------------------------------------------------ */

static int
parse_hex(const char *text, size_t length, size_t most_digits, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (length == 0 || length > most_digits)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

static int
parse_u32(const char *text, size_t length, uint32_t *ret_value)
{
	uint64_t value;

	if (num_parse_u64(text, length, &value) < 0 || value > UINT32_MAX)
		return -EINVAL;
	*ret_value = (uint32_t)value;
	return 0;
}

static int
parse_point(const char *text, size_t length, struct feed_point *ret_point)
{
	const char *end = text + length, *dots[2];
	uint64_t parts[3];

	dots[0] = memchr(text, '.', length);
	dots[1] = dots[0] ? memchr(dots[0] + 1, '.', (size_t)(end - dots[0] - 1)) : NULL;
	if (!dots[1] || parse_hex(text, (size_t)(dots[0] - text), 16, &parts[0]) < 0 ||
	    parse_hex(dots[0] + 1, (size_t)(dots[1] - dots[0] - 1), 8, &parts[1]) < 0 ||
	    parse_hex(dots[1] + 1, (size_t)(end - dots[1] - 1), 16, &parts[2]) < 0)
		return -EINVAL;
	*ret_point = (struct feed_point){ .trail = parts[0], .feed = (uint32_t)parts[1],
		                          .tick = parts[2] };
	return 0;
}

static int
parse_walk(const char *text, size_t length, struct feed_id *id)
{
	const char *dot = memchr(text, '.', length);
	uint64_t registry;

	if (!dot || parse_u32(text, (size_t)(dot - text), &id->slot) < 0 ||
	    parse_hex(dot + 1, length - (size_t)(dot + 1 - text), 8, &registry) < 0)
		return -EINVAL;
	id->registry = (uint32_t)registry;
	return 0;
}

static int
parse_base(const char *text, size_t length, struct feed_id *id)
{
	const char *at;

	if (length == 1 && *text == 's') {
		id->begins = true;
		return 0;
	}
	at = memchr(text, '@', length);
	if (!at || num_parse_u64(text, (size_t)(at - text), &id->tail_entries) < 0)
		return -EINVAL;
	return parse_point(at + 1, length - (size_t)(at + 1 - text), &id->base);
}

static int
parse_mark(const char *text, size_t length, enum cursor_file file, struct feed_id *id)
{
	id->file = file;
	return cursor_parse_mark(text, length, &id->mark);
}

/* What has been seen of an id. */
enum { HAS_MEMBER = 1, HAS_MARK = 2, HAS_LINES = 4, HAS_WALK = 8, HAS_BASE = 16 };

static int
take_part(const char *part, size_t length, struct feed_id *id, unsigned *has)
{
	const char *value = part + 2;
	unsigned seen;
	int error;

	if (length < 2 || part[1] != '=')
		return -EINVAL;
	length -= 2;
	switch (part[0]) {
	case 'm':
		seen = HAS_MEMBER;
		error = parse_u32(value, length, &id->member);
		break;
	case 'o':
	case 'r':
		seen = HAS_MARK;
		error = parse_mark(value, length, part[0] == 'o' ? CURSOR_STDOUT : CURSOR_STDERR, id);
		break;
	case 'l':
		seen = HAS_LINES;
		error = num_parse_u64(value, length, &id->lines);
		break;
	case 'w':
		seen = HAS_WALK;
		error = parse_walk(value, length, id);
		break;
	case 'b':
		seen = HAS_BASE;
		error = parse_base(value, length, id);
		break;
	default:
		return 0;
	}
	if (error || *has & seen)
		return -EINVAL;
	*has |= seen;
	return 0;
}

int
feed_id_parse(const char *text, size_t length, struct feed_id *ret_id)
{
	struct feed_id id = { .has_mark = false };
	bool is_first = true;
	unsigned has = 0;

	if (length > CURSOR_INPUT_BYTES)
		return -EINVAL;
	for (;;) {
		const char *semicolon = memchr(text, ';', length);
		size_t part = semicolon ? (size_t)(semicolon - text) : length;

		if (!is_first) {
			if (take_part(text, part, &id, &has) < 0)
				return -EINVAL;
		} else if (part < 2 || memcmp(text, "f=", 2) != 0 ||
		           parse_point(text + 2, part - 2, &id.point) < 0) {
			return -EINVAL;
		}
		is_first = false;
		if (!semicolon)
			break;
		text += part + 1;
		length -= part + 1;
	}
	if (!(has & HAS_WALK) != !(has & HAS_BASE) || (has & HAS_LINES && !(has & HAS_MARK)))
		return -EINVAL;
	id.has_member = has & HAS_MEMBER;
	id.has_mark = has & HAS_MARK;
	id.is_walk = has & HAS_WALK;
	*ret_id = id;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

static char *
put(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

static char *
put_hex(char *to, uint64_t value)
{
	int digits = 1;

	while (digits < 16 && value >> (4 * digits) != 0)
		digits++;
	while (digits-- > 0)
		*to++ = "0123456789abcdef"[value >> (4 * digits) & 15];
	return to;
}

static char *
put_point(char *to, const struct feed_point *point)
{
	to = put_hex(to, point->trail);
	*to++ = '.';
	to = put_hex(to, point->feed);
	*to++ = '.';
	return put_hex(to, point->tick);
}

size_t
feed_id_format(const struct feed_id *id, char ret_text[static FEED_ID_BYTES])
{
	char *to = put_point(put(ret_text, "f="), &id->point);

	if (id->has_member) {
		to = put(to, ";m=");
		to += num_format_u64(id->member, to);
	}
	if (!id->is_walk)
		return (size_t)(to - ret_text);
	to = put(to, ";w=");
	to += num_format_u64(id->slot, to);
	*to++ = '.';
	to = put_hex(to, id->registry);
	to = put(to, ";b=");
	if (id->begins) {
		*to++ = 's';
	} else {
		to += num_format_u64(id->tail_entries, to);
		*to++ = '@';
		to = put_point(to, &id->base);
	}
	return (size_t)(to - ret_text);
}
