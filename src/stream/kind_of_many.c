/* What kinds of streams of many runs share. */
#include <string.h>

#include "stream/kind.h"

size_t
stream_kind_format_id_of_many(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES])
{
	size_t length = strlen(id->prefix);
	struct cursor cursor = { 0 };

	memcpy(ret_text, id->prefix, length);
	if (!id->is_of_entry)
		return length;
	place_to_cursor(&id->places[id->file], id->file, &cursor);
	memcpy(ret_text + length, id->file == CURSOR_STDOUT ? ";o=" : ";r=", 3);
	length += 3 + cursor_format_mark(&cursor.files[id->file].mark, ret_text + length + 3);
	/* An entry's number, and an id that is made of one, are counted from there. */
	memcpy(ret_text + length, ";l=", 3);
	return length + 3 + num_format_u64(cursor.files[id->file].lines, ret_text + length + 3);
}
