#include "stream/kind.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "model/feed_id.h"
#include "model/json_text.h"
#include "stream/channel.h"
#include "stream/fragment.h"
#include "stream/pass.h"

/* --- ids ---------------------------------------------------------------------------------------------- */

static size_t
format_id(const struct stream_id *id, char ret_text[static STREAM_ID_BYTES])
{
	struct cursor cursor = { .is_end = id->is_end };

	for (int i = 0; i < CURSOR_FILES; i++)
		place_to_cursor(&id->places[i], (enum cursor_file)i, &cursor);
	return cursor_format(&cursor, ret_text);
}

/* --- events ------------------------------------------------------------------------------------------- */

/* What of an event stays the same while one file's lines go by. */
struct id_parts {
	char before[FEED_ID_BYTES + 8], between[64], after[64];
	size_t before_length, between_length, after_length;
	char timestamps[2][CLOCK_RFC3339_BYTES]; /* of what was there before, of what came since */
};

static char *
put(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

#define PUT_LITERAL(to, literal) put(to, literal, sizeof(literal) - 1)

static void
prepare_id(struct id_parts *id, const struct pass *pass)
{
	const struct renderer_job *job = pass->job;
	struct cursor cursor = { 0 };
	char text[CURSOR_TEXT_BYTES];
	size_t length;
	enum cursor_file other = job->file == CURSOR_STDOUT ? CURSOR_STDERR : CURSOR_STDOUT;

	clock_format_rfc3339(pass->generation->opened_wall_ms, id->timestamps[0]);
	clock_format_rfc3339(pass->generation->grown_wall_ms, id->timestamps[1]);
	if (job->kind->is_many) {
		char *to = PUT_LITERAL(id->before, "id: ");

		id->before_length = (size_t)(put(to, job->id_prefix, strlen(job->id_prefix)) - id->before);
		to = job->file == CURSOR_STDOUT ? PUT_LITERAL(id->between, ";o=")
		                                : PUT_LITERAL(id->between, ";r=");
		id->between_length = (size_t)(to - id->between);
		id->after_length = 0;
		return;
	}
	/* As cursor_format() has it: "s=<lines>;e=<lines>;o=<mark>;r=<mark>". The parts of the file
	 * at hand are left open: its number of lines and its mark. */
	place_to_cursor(&job->places[other], other, &cursor);
	length = cursor_format(&cursor, text);
	if (job->file == CURSOR_STDOUT) {
		const char *e = memchr(text, ';', length);
		const char *mark = memchr(e + 1, ';', length - (size_t)(e + 1 - text));
		size_t e_length = mark ? (size_t)(mark - e) : length - (size_t)(e - text);

		id->before_length = (size_t)(PUT_LITERAL(id->before, "id: s=") - id->before);
		id->between_length =
			(size_t)(PUT_LITERAL(put(id->between, e, e_length), ";o=") - id->between);
		id->after_length = mark ? length - (size_t)(mark - text) : 0;
		memcpy(id->after, mark ? mark : "", id->after_length);
	} else {
		const char *e = memchr(text, ';', length);
		const char *mark = memchr(e + 1, ';', length - (size_t)(e + 1 - text));
		char *to = PUT_LITERAL(id->before, "id: ");

		to = put(to, text, (size_t)(e - text));
		to = PUT_LITERAL(to, ";e=");
		id->before_length = (size_t)(to - id->before);
		to = put(id->between, mark ? mark : "", mark ? length - (size_t)(mark - text) : 0);
		id->between_length = (size_t)(PUT_LITERAL(to, ";r=") - id->between);
		id->after_length = 0;
	}
}

/* In a stream of many runs the line's number says nothing, as nobody counts them: "pos" does. */
static char *
put_where(char *to, const struct pass *pass, const char *mark)
{
	if (pass->job->kind->is_many) {
		to = PUT_LITERAL(to, "\",\"pos\":\"");
		to = put(to, mark, CURSOR_POSITION_TEXT_BYTES);
		return PUT_LITERAL(to, "\"");
	}
	to = PUT_LITERAL(to, "\",\"n\":");
	return to + num_format_u64(pass->lines + 1, to);
}

/* The mark of where the line begins that a part is of: who comes back to a stream of many may have been
 * sent parts by somebody who cut the line otherwise, and is sent it as a whole. */
static char *
put_line_mark(char *to, const struct pass *pass)
{
	const struct place line = { .generation = pass->generation, .offset = pass->line_offset,
		                    .fingerprint = pass->line_fingerprint };
	struct cursor cursor = { 0 };

	place_to_cursor(&line, CURSOR_STDOUT, &cursor);
	to += cursor_format_mark(&cursor.files[CURSOR_STDOUT].mark, to);
	to = PUT_LITERAL(to, ";p=");
	return to + num_format_u64(pass->offset - line.offset, to);
}

static int
put_event(struct pass *pass, const struct id_parts *id, const struct fragment *fragment)
{
	const struct renderer_job *job = pass->job;
	const struct buf *opening = &job->template->opening[job->file];
	const uint8_t *line = pass_bytes(pass);
	bool is_end = fragment->kind != FRAGMENT_PARTIAL, lossy = false;
	uint64_t begins = pass->offset;
	struct cursor_mark mark;
	size_t mark_length;
	char *room, *to, *mark_text, of_part[CURSOR_MARK_TEXT_BYTES];

	room = buf_reserve(pass->text, STREAM_ID_BYTES + opening->length_bytes + 160 +
	                                       fragment->text_bytes * JSON_ESCAPE_MOST);
	if (!room)
		return -ENOMEM;
	pass->offset += fragment->consumed_bytes;
	pass->is_open = fragment->kind == FRAGMENT_PARTIAL;
	pass->is_finished = fragment->kind == FRAGMENT_UNFINISHED;
	mark = pass_mark(pass);
	if (is_end) {
		pass->line_offset = mark.offset;
		pass->line_fingerprint = mark.fingerprint;
	}
	to = put(room, id->before, id->before_length);
	if (!job->kind->is_many)
		to += num_format_u64(pass->lines + is_end, to);
	to = put(to, id->between, id->between_length);
	/* Where it belongs at once: what was stored in bytes is slow to be copied in words. */
	mark_text = job->kind->is_many && !is_end ? of_part : to;
	mark_length = cursor_format_mark(&mark, mark_text);
	to = mark_text == to ? to + mark_length : put_line_mark(to, pass);
	to = put(to, id->after, id->after_length);
	to = put(to, opening->data, opening->length_bytes);
	to += json_escape(line, fragment->text_bytes, to, &lossy);
	to = put_where(to, pass, mark_text);
	to = PUT_LITERAL(to, ",\"timestamp\":\"");
	to = put(to, id->timestamps[begins >= pass->generation->opened_size_bytes],
	         CLOCK_RFC3339_BYTES - 1);
	to = PUT_LITERAL(to, "\"");
	if (!is_end)
		to = PUT_LITERAL(to, ",\"partial\":true");
	if (lossy)
		to = PUT_LITERAL(to, ",\"lossy\":true");
	to = PUT_LITERAL(to, "}\n\n");
	pass->text->length_bytes += (size_t)(to - room);
	pass->lines += fragment->kind == FRAGMENT_LINE;
	pass->events++;
	return 0;
}

/* A part of a line that runs into a hole ends there. */
static void
stop_at_hole(const struct pass *pass, struct fragment *f)
{
	const char *at = (const char *)pass_bytes(pass);
	const char *zero;
	uint64_t page;

	if (f->kind != FRAGMENT_PARTIAL || f->text_bytes < RENDERER_HOLE_BYTES)
		return;
	zero = memchr(at, '\0', f->text_bytes);
	if (!zero)
		return;
	page = (pass->offset + (uint64_t)(zero - at) + RENDERER_HOLE_BYTES - 1) / RENDERER_HOLE_BYTES *
	       RENDERER_HOLE_BYTES;
	if (page > pass->offset && page < pass->offset + f->text_bytes && pass_hole_end(pass, page) > page)
		f->text_bytes = f->consumed_bytes = (size_t)(page - pass->offset);
}

static int
put_events(struct pass *pass, uint64_t border)
{
	const struct renderer_job *job = pass->job;
	struct fragment_limits limits = { .max_line_bytes = job->max_line_bytes,
		                          .may_flush = job->may_flush,
		                          .is_final = job->is_final };
	struct id_parts id = { .before_length = 0 };
	int error;

	prepare_id(&id, pass);
	while (pass->offset < pass->end && !pass_is_full(pass)) {
		struct fragment f;
		uint64_t hole = pass_hole_end(pass, pass->offset);

		if (hole > pass->offset)
			return pass->events > 0 ? 0 : pass_put_hole(pass, hole);
		limits.is_all = pass_is_all(pass);
		f = fragment_next(pass_bytes(pass), pass_length(pass), &limits);
		stop_at_hole(pass, &f);
		if (f.kind == FRAGMENT_NONE) {
			pass_note_unfinished(pass);
			break;
		}
		if (f.kind == FRAGMENT_MORE) {
			if (pass->events > 0)
				break; /* the line that crosses the border is the next block's */
			error = pass_read_to(pass, pass->offset + job->max_line_bytes + FRAGMENT_AHEAD_BYTES);
			if (error)
				return error;
			continue;
		}
		if (pass->events > 0 && pass->offset + f.consumed_bytes > border)
			break;
		error = put_event(pass, &id, &f);
		if (error)
			return error;
	}
	if (job->is_final && pass->events == 0 && pass->offset == pass->limit && pass->is_open) {
		/* What is left of the last line is nothing: it ends here all the same. */
		struct fragment f = { .kind = FRAGMENT_UNFINISHED };

		return put_event(pass, &id, &f);
	}
	return 0;
}

/* --- what is said of the run --------------------------------------------------------------------------- */

static int
status_version(struct channel *c, struct status_goal *goal, uint64_t *ret_version)
{
	(void)goal;
	*ret_version = c->status_serial;
	return 0;
}

static void
put_status(struct buf *to, const struct event_id *id, struct channel *c)
{
	struct event_run run = channel_event_run(c);

	event_put_status(to, id, &run, c->run->status, c->run->exit_code);
}

static void
put_complete(struct buf *to, const struct event_id *id, struct channel *c)
{
	struct event_run run = channel_event_run(c);

	event_put_complete(to, id, &run, c->run->status, c->run->exit_code);
}

const struct stream_kind stream_kind_log = {
	.flushes = true,
	.ends = true,
	.names_files = true,
	.put_events = put_events,
	.format_id = format_id,
	.resolve = start_resolve,
	.status_version = status_version,
	.put_status = put_status,
	.put_complete = put_complete,
};

const struct stream_kind stream_kind_log_of_many = {
	.is_many = true,
	.flushes = true,
	.ends = true,
	.names_files = true,
	.put_events = put_events,
	.format_id = stream_kind_format_id_of_many,
	.resolve = start_resolve,
	.status_version = status_version,
	.put_status = put_status,
	.put_complete = put_complete,
};
