#include "model/cursor.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Above any real count, and small enough that sums with it do not overflow. */
#define MOST_LINES (UINT64_C(1) << 62)

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { MARK_BYTES = 16, TIME_BYTES = 6 };

const char *const cursor_file_names[CURSOR_FILES] = { "stdout", "stderr" };

int
cursor_parse_files(const char *names, unsigned *ret_files)
{
	unsigned files = 0;

	for (;;) {
		size_t length = strcspn(names, ",");
		unsigned file = 0;

		while (file < CURSOR_FILES && (strlen(cursor_file_names[file]) != length ||
		                               memcmp(names, cursor_file_names[file], length) != 0))
			file++;
		if (file == CURSOR_FILES)
			return -EINVAL;
		files |= 1U << file;
		if (names[length] == '\0')
			break;
		names += length + 1;
	}
	*ret_files = files;
	return 0;
}

static void
put_be(uint8_t *to, int bytes, uint64_t value)
{
	while (bytes-- > 0) {
		to[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t
get_be(const uint8_t *from, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | from[i];
	return value;
}

/* Without padding. Returns how many characters. */
static size_t
put_base64(char *to, const uint8_t *bytes, size_t length)
{
	size_t count = 0;

	for (size_t bit = 0; bit < 8 * length; bit += 6) {
		unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < length ? bytes[bit / 8 + 1] : 0U);

		to[count++] = digits[pair >> (10 - bit % 8) & 63];
	}
	return count;
}

size_t
cursor_format_mark(const struct cursor_mark *mark, char ret_text[static CURSOR_MARK_TEXT_BYTES])
{
	uint64_t begun_ms = (uint64_t)mark->begun_ms & CURSOR_FINGERPRINT_MASK;
	uint8_t raw[MARK_BYTES];
	size_t length;

	must(mark->offset < CURSOR_OFFSET_LIMIT);
	put_be(raw, 6, mark->offset << 1 | mark->is_finished);
	put_be(raw + 6, 4, mark->identity);
	put_be(raw + 10, 6, mark->offset > 0 ? mark->fingerprint : begun_ms);
	length = put_base64(ret_text, raw, sizeof(raw));
	if (!cursor_mark_is_short(mark) || begun_ms == 0)
		return length;
	put_be(raw, TIME_BYTES, begun_ms);
	return length + put_base64(ret_text + length, raw, TIME_BYTES);
}

static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Fills that many bytes from their characters: no more, no fewer, and no bits beyond. 0 or -EINVAL. */
static int
get_base64(const char *text, uint8_t *bytes, size_t length)
{
	unsigned held = 0, held_bits = 0;
	size_t count = 0;

	while (count < length) {
		int value = digit_value(*text++);

		if (value < 0)
			return -EINVAL;
		held = held << 6 | (unsigned)value;
		held_bits += 6;
		if (held_bits < 8)
			continue;
		held_bits -= 8;
		bytes[count++] = (uint8_t)(held >> held_bits);
		held &= (1U << held_bits) - 1;
	}
	return held == 0 ? 0 : -EINVAL;
}

int
cursor_parse_mark(const char *text, size_t length, struct cursor_mark *ret_mark)
{
	uint8_t raw[MARK_BYTES], time[TIME_BYTES] = { 0 };
	struct cursor_mark mark;
	uint64_t offset;

	if (length != CURSOR_POSITION_TEXT_BYTES && length != CURSOR_MARK_TEXT_BYTES)
		return -EINVAL;
	if (get_base64(text, raw, sizeof(raw)) < 0 ||
	    (length == CURSOR_MARK_TEXT_BYTES &&
	     get_base64(text + CURSOR_POSITION_TEXT_BYTES, time, sizeof(time)) < 0))
		return -EINVAL;
	offset = get_be(raw, 6);
	mark = (struct cursor_mark){
		.offset = offset >> 1,
		.is_finished = offset & 1,
		.identity = (uint32_t)get_be(raw + 6, 4),
		.fingerprint = get_be(raw + 10, 6),
		.begun_ms = (int64_t)get_be(time, sizeof(time)),
	};
	if (length == CURSOR_MARK_TEXT_BYTES && !cursor_mark_is_short(&mark))
		return -EINVAL; /* nothing we wrote */
	if (mark.offset == 0) {
		mark.begun_ms = (int64_t)mark.fingerprint;
		mark.fingerprint = 0;
	}
	*ret_mark = mark;
	return 0;
}

static int
parse_lines(const char *text, size_t length, uint64_t *ret_lines)
{
	uint64_t lines;
	int error = num_parse_u64(text, length, &lines);

	if (error == -ERANGE || (!error && lines > MOST_LINES))
		lines = MOST_LINES;
	else if (error)
		return error;
	*ret_lines = lines;
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
trim(const char **text, size_t *length)
{
	while (*length > 0 && is_blank(**text)) {
		(*text)++;
		(*length)--;
	}
	while (*length > 0 && is_blank((*text)[*length - 1]))
		(*length)--;
}

enum part { PART_LINES_OUT, PART_LINES_ERR, PART_MARK_OUT, PART_MARK_ERR, PART_END, PARTS };

static const struct {
	const char *name;
	enum part part;
} names[] = {
	{ "s", PART_LINES_OUT },   { "stdout", PART_LINES_OUT }, { "out", PART_LINES_OUT },
	{ "e", PART_LINES_ERR },   { "stderr", PART_LINES_ERR }, { "err", PART_LINES_ERR },
	{ "o", PART_MARK_OUT },    { "r", PART_MARK_ERR },       { "end", PART_END },
};

static int
parse_part(const char *text, size_t length, struct cursor *cursor, unsigned *seen)
{
	size_t name_length = strcspn(text, "=:");
	const char *value;
	size_t value_length;
	enum part part = PARTS;

	if (name_length >= length)
		return -EINVAL;
	value = text + name_length + 1;
	value_length = length - name_length - 1;
	trim(&text, &name_length);
	trim(&value, &value_length);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == name_length &&
		    memcmp(names[i].name, text, name_length) == 0)
			part = names[i].part;
	if (part == PARTS)
		return name_length > 0 ? 0 : -EINVAL;
	if (*seen & 1U << part)
		return -EINVAL;
	*seen |= 1U << part;
	switch (part) {
	case PART_LINES_OUT:
		return parse_lines(value, value_length, &cursor->files[CURSOR_STDOUT].lines);
	case PART_LINES_ERR:
		return parse_lines(value, value_length, &cursor->files[CURSOR_STDERR].lines);
	case PART_MARK_OUT:
		cursor->files[CURSOR_STDOUT].has_mark = true;
		return cursor_parse_mark(value, value_length, &cursor->files[CURSOR_STDOUT].mark);
	case PART_MARK_ERR:
		cursor->files[CURSOR_STDERR].has_mark = true;
		return cursor_parse_mark(value, value_length, &cursor->files[CURSOR_STDERR].mark);
	case PART_END:
		if (value_length != 1 || *value != '1')
			return -EINVAL;
		cursor->is_end = true;
		return 0;
	case PARTS:
		break;
	}
	return -EINVAL;
}

int
cursor_parse(const char *text, size_t length, struct cursor *ret_cursor)
{
	struct cursor cursor = { 0 };
	char copy[CURSOR_INPUT_BYTES + 1];
	unsigned seen = 0;
	size_t at = 0;

	if (length > CURSOR_INPUT_BYTES || memchr(text, '\0', length))
		return -EINVAL;
	trim(&text, &length);
	if (length == 0)
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (parse_lines(copy, length, &cursor.files[CURSOR_STDOUT].lines) == 0) {
		cursor.is_number = true;
		cursor.files[CURSOR_STDERR].lines = cursor.files[CURSOR_STDOUT].lines;
		*ret_cursor = cursor;
		return 0;
	}
	while (at <= length) {
		size_t part_length = strcspn(copy + at, ";,|");
		const char *part = copy + at;
		int error;

		at += part_length + 1;
		trim(&part, &part_length);
		if (part_length == 0 && at > length)
			break; /* a separator at the end */
		copy[part - copy + (ptrdiff_t)part_length] = '\0';
		error = parse_part(part, part_length, &cursor, &seen);
		if (error)
			return error;
	}
	/* Something of ours must have been in it, or it is not an id. */
	if (!(seen & (1U << PART_LINES_OUT | 1U << PART_LINES_ERR)))
		return -EINVAL;
	*ret_cursor = cursor;
	return 0;
}

size_t
cursor_format(const struct cursor *cursor, char ret_text[static CURSOR_TEXT_BYTES])
{
	static const char *const line_names[CURSOR_FILES] = { "s=", ";e=" };
	static const char *const mark_names[CURSOR_FILES] = { ";o=", ";r=" };
	size_t length = 0;

	for (int i = 0; i < CURSOR_FILES; i++) {
		size_t name_length = strlen(line_names[i]);

		must(cursor->files[i].lines < UINT64_C(10000000000000000000));
		memcpy(ret_text + length, line_names[i], name_length);
		length += name_length;
		length += num_format_u64(cursor->files[i].lines, ret_text + length);
	}
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (!cursor->files[i].has_mark)
			continue;
		memcpy(ret_text + length, mark_names[i], 3);
		length += 3 + cursor_format_mark(&cursor->files[i].mark, ret_text + length + 3);
	}
	if (cursor->is_end) {
		memcpy(ret_text + length, ";end=1", 6);
		length += 6;
	}
	return length;
}
