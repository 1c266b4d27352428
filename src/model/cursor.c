#include "model/cursor.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Above any real count, and small enough that sums with it do not overflow. */
#define MOST_LINES (UINT64_C(1) << 62)

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { MARK_BYTES = 16 };

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

void
cursor_format_mark(const struct cursor_mark *mark, char ret_text[static CURSOR_MARK_TEXT_BYTES])
{
	uint8_t raw[MARK_BYTES + 2] = { 0 };

	must(mark->offset < CURSOR_OFFSET_LIMIT);
	put_be(raw, 6, mark->offset << 1 | mark->is_finished);
	put_be(raw + 6, 4, mark->identity);
	put_be(raw + 10, 6, mark->fingerprint);
	for (int i = 0; i < MARK_BYTES / 3 + 1; i++) {
		uint32_t group = (uint32_t)get_be(raw + 3 * i, 3);
		int count = i < MARK_BYTES / 3 ? 4 : 2;

		for (int j = 0; j < count; j++)
			ret_text[4 * i + j] = digits[group >> (18 - 6 * j) & 63];
	}
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

int
cursor_parse_mark(const char *text, size_t length, struct cursor_mark *ret_mark)
{
	uint8_t raw[MARK_BYTES + 2];
	uint64_t offset;

	if (length != CURSOR_MARK_TEXT_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < MARK_BYTES / 3 + 1; i++) {
		uint32_t group = 0;

		for (size_t j = 0; j < 4; j++) {
			size_t at = 4 * i + j;
			int value = at < length ? digit_value(text[at]) : 0;

			if (value < 0)
				return -EINVAL;
			group = group << 6 | (uint32_t)value;
		}
		put_be(raw + 3 * i, 3, group);
	}
	if (raw[MARK_BYTES] != 0) /* bits beyond the mark: nothing we wrote */
		return -EINVAL;
	offset = get_be(raw, 6);
	*ret_mark = (struct cursor_mark){
		.offset = offset >> 1,
		.is_finished = offset & 1,
		.identity = (uint32_t)get_be(raw + 6, 4),
		.fingerprint = get_be(raw + 10, 6),
	};
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
		cursor_format_mark(&cursor->files[i].mark, ret_text + length + 3);
		length += 3 + CURSOR_MARK_TEXT_BYTES;
	}
	if (cursor->is_end) {
		memcpy(ret_text + length, ";end=1", 6);
		length += 6;
	}
	return length;
}
