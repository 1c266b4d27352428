/*
 * One file of a run, raw: unnamed events of text as it comes, whether lines are whole or not.
 * Joined with nothing between them they are the file, in which CRLF and CR are LF, as an event
 * stream cannot say otherwise (WHATWG HTML, section 9.2.6), and what is not UTF-8 is U+FFFD.
 */
#include <string.h>

#include "base/num.h"
#include "model/entry_id.h"
#include "model/utf8.h"
#include "stream/channel.h"
#include "stream/kind.h"
#include "stream/pass.h"

/* The byte offset, and its mark. */
static size_t
format_id(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES])
{
	const struct place *place = &id->places[0];
	struct entry_id parts = { .is_end = id->is_end };
	struct cursor cursor = { 0 };
	size_t length = num_format_u64(place->offset, ret_text);

	place_to_cursor(place, CURSOR_STDOUT, &cursor);
	parts.has_mark = cursor.files[0].has_mark;
	parts.mark = cursor.files[0].mark;
	return length + entry_id_format_parts(&parts, ret_text + length);
}

/* How much of the bytes may be sent though others follow: no cut inside a sequence or a CRLF. */
static size_t
cut(const uint8_t *bytes, size_t length, bool is_final)
{
	size_t cut_at;

	if (is_final)
		return length;
	cut_at = utf8_cut(bytes, length);
	return cut_at > 0 && bytes[cut_at - 1] == '\r' ? cut_at - 1 : cut_at;
}

static void
put_clean(struct buf *to, const uint8_t *text, size_t length)
{
	char *room = buf_reserve(to, 3 * length), *at = room;

	if (!room)
		return;
	while (length > 0) {
		int n = utf8_next(text, length);
		size_t taken = (size_t)(n > 0 ? n : -n);

		memcpy(at, n > 0 ? (const char *)text : "\xef\xbf\xbd", n > 0 ? taken : 3);
		at += n > 0 ? taken : 3;
		text += taken;
		length -= taken;
	}
	to->length_bytes += (size_t)(at - room);
}

/* One "data: " for each line: the reader puts a newline between them. */
static void
put_data(struct buf *to, const uint8_t *text, size_t length)
{
	for (;;) {
		size_t line = 0;

		while (line < length && text[line] != '\n' && text[line] != '\r')
			line++;
		buf_puts(to, "data: ");
		put_clean(to, text, line);
		buf_putc(to, '\n');
		if (line == length)
			break;
		if (text[line] == '\r' && line + 1 < length && text[line + 1] == '\n')
			line++;
		text += line + 1;
		length -= line + 1;
	}
}

static int
put_event(struct pass *pass, size_t length)
{
	const uint8_t *bytes = pass_bytes(pass);
	char id[STREAM_ID_BYTES];

	pass->offset += length;
	pass->events++;
	buf_puts(pass->text, "id: ");
	buf_append(pass->text, id, pass_format_id(pass, id));
	buf_putc(pass->text, '\n');
	put_data(pass->text, bytes, length);
	buf_putc(pass->text, '\n');
	return buf_error(pass->text);
}

static int
put_events(struct pass *pass, uint64_t border)
{
	uint64_t hole = pass_length(pass) > 0 ? pass_hole_end(pass, pass->offset) : pass->offset;
	size_t length;

	if (hole > pass->offset)
		return pass_put_hole(pass, hole);
	length = border < pass->end ? (size_t)(border - pass->offset) : pass_length(pass);
	if (length > 0)
		length = cut(pass_bytes(pass), length, pass->job->is_final && pass_is_all(pass));
	pass->is_open = false; /* lines are nothing here */
	return length > 0 ? put_event(pass, length) : 0;
}

static void
put_done(struct buf *to, const struct event_id *id, struct channel *c)
{
	struct event_run run = channel_event_run(c);

	event_put_done(to, id, &run);
}

const struct stream_kind stream_kind_file = {
	.ends = true,
	.put_events = put_events,
	.format_id = format_id,
	.resolve = start_resolve,
	.put_complete = put_done,
	.put_failure = event_put_error,
};
