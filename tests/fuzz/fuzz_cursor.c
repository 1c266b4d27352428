/* Ids of a log stream: what was understood is written and understood again as the same. */
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/cursor.h"

static void
check_same(const struct cursor *a, const struct cursor *b)
{
	must(a->is_end == b->is_end);
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct cursor_mark *x = &a->files[i].mark, *y = &b->files[i].mark;

		must(a->files[i].lines == b->files[i].lines);
		must(a->files[i].has_mark == b->files[i].has_mark);
		must(x->offset == y->offset && x->is_finished == y->is_finished);
		must(x->identity == y->identity && x->fingerprint == y->fingerprint && x->begun_ms == y->begun_ms);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor cursor, again;
	char text[CURSOR_TEXT_BYTES];
	size_t length;

	if (cursor_parse((const char *)data, size, &cursor) != 0)
		return 0;
	must(size <= CURSOR_INPUT_BYTES);
	for (int i = 0; i < CURSOR_FILES; i++)
		must(!cursor.files[i].has_mark || cursor.files[i].mark.offset < CURSOR_OFFSET_LIMIT);
	if (cursor.is_number)
		must(!cursor.is_end && cursor.files[0].lines == cursor.files[1].lines);
	memset(text, 0, sizeof(text));
	length = cursor_format(&cursor, text);
	must(length <= CURSOR_TEXT_BYTES && memcmp(text, "s=", 2) == 0);
	must(!memchr(text, '\n', length) && !memchr(text, '\0', length));
	must(cursor_parse(text, length, &again) == 0);
	check_same(&cursor, &again);
	return 0;
}
