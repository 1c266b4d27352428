#include "model/entry_id.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* Takes the last part off; false: there is none. */
static bool
take_last(struct entry_id *id)
{
	const char *semicolon = id->name_length > 0 ? memrchr(id->name, ';', id->name_length) : NULL;
	const char *part;
	size_t length;
	bool is_part = false;

	if (!semicolon || semicolon == id->name)
		return false;
	part = semicolon + 1;
	length = id->name_length - (size_t)(part - id->name);
	if (length == 5 && memcmp(part, "end=1", 5) == 0) {
		is_part = !id->is_end;
		id->is_end = true;
	} else if (length > 2 && memcmp(part, "o=", 2) == 0 && !id->has_mark) {
		is_part = id->has_mark = cursor_parse_mark(part + 2, length - 2, &id->mark) == 0;
	} else if (length > 2 && memcmp(part, "n=", 2) == 0 && !id->has_lines) {
		is_part = id->has_lines = num_parse_u64(part + 2, length - 2, &id->lines) == 0;
	}
	if (is_part)
		id->name_length = (size_t)(semicolon - id->name);
	return is_part;
}

void
entry_id_parse(const char *text, size_t length, struct entry_id *ret_id)
{
	*ret_id = (struct entry_id){ .name = text, .name_length = length };
	while (take_last(ret_id))
		;
}

int
entry_id_number(const struct entry_id *id, uint64_t *ret_number)
{
	return num_parse_u64(id->name, id->name_length, ret_number) < 0 ? -EINVAL : 0;
}

static char *
put(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

size_t
entry_id_format_parts(const struct entry_id *id, char ret_text[static ENTRY_ID_PARTS_BYTES])
{
	char *to = ret_text;

	if (id->has_lines) {
		to = put(to, ";n=");
		to += num_format_u64(id->lines, to);
	}
	if (id->has_mark) {
		to = put(to, ";o=");
		to += cursor_format_mark(&id->mark, to);
	}
	if (id->is_end)
		to = put(to, ";end=1");
	return (size_t)(to - ret_text);
}
