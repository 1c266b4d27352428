#include "stream/renderer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/num.h"
#include "model/fingerprint.h"
#include "model/json_text.h"
#include "stream/fragment.h"

enum {
	/* Small enough that a client which is stuck on a block of its own holds little, large enough
	 * that the window verified before each slice does not count. */
	SLICE_BYTES = 16 * 1024,
	MOST_TEXT_BYTES = 64 * 1024, /* a block is closed beyond it */
	KEEP_TEXT_BYTES = 1024 * 1024, /* scratch above this is given back */
	/* Holes begin and end at pages; smaller ones are shown as the zeros that they read as. */
	HOLE_BYTES = 4096,
};


struct renderer {
	struct buf bytes; /* of the file */
	struct buf text;  /* of the block */
};

int
renderer_new(struct renderer **ret_renderer)
{
	struct renderer *renderer = calloc(1, sizeof(*renderer));

	if (!renderer)
		return -ENOMEM;
	*ret_renderer = renderer;
	return 0;
}

void
renderer_free(struct renderer **renderer)
{
	if (!*renderer)
		return;
	buf_fini(&(*renderer)->bytes);
	buf_fini(&(*renderer)->text);
	free(*renderer);
	*renderer = NULL;
}

int
renderer_template_init(struct renderer_template *t, const struct event_run *run)
{
	int error = 0;

	t->run = *run;
	for (int i = 0; i < CURSOR_FILES; i++) {
		struct buf *opening = &t->opening[i];

		buf_init(opening);
		buf_puts(opening, "\nevent: log\ndata: ");
		event_put_run(opening, run);
		buf_puts(opening, ",\"stream\":\"");
		buf_puts(opening, cursor_file_names[i]);
		buf_puts(opening, "\",\"line\":\"");
		if (buf_error(opening))
			error = buf_error(opening);
	}
	if (error)
		renderer_template_fini(t);
	return error;
}

void
renderer_template_fini(struct renderer_template *t)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		buf_fini(&t->opening[i]);
}

/* --- one pass ---------------------------------------------------------------------------------------- */

/* What of an id stays the same while one file's lines go by. */
struct id_parts {
	char before[64], between[64], after[64];
	size_t before_length, between_length, after_length;
};

struct pass {
	struct renderer *renderer;
	const struct renderer_job *job;
	struct generation *generation;
	struct fingerprint_pass fingerprints;
	struct id_parts id;
	char timestamps[2][CLOCK_RFC3339_BYTES]; /* of what was there before, of what came since */

	uint64_t start;      /* offset in the file of renderer->bytes */
	uint64_t end;        /* how far it was read */
	uint64_t offset, lines;
	bool is_open, is_finished;
	uint32_t events;
	bool is_hole;        /* the block skips one, and is nothing else */
	uint64_t hole_fingerprint;
};

static char *
put(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

#define PUT_LITERAL(to, literal) put(to, literal, sizeof(literal) - 1)

static void
prepare_id(struct id_parts *id, const struct renderer_job *job)
{
	struct cursor cursor = { 0 };
	char text[CURSOR_TEXT_BYTES];
	size_t length;
	enum cursor_file other = job->file == CURSOR_STDOUT ? CURSOR_STDERR : CURSOR_STDOUT;

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

static int
put_event(struct pass *pass, const struct fragment *fragment)
{
	const struct renderer_job *job = pass->job;
	const struct buf *opening = &job->template->opening[job->file];
	const uint8_t *line = (const uint8_t *)pass->renderer->bytes.data + (pass->offset - pass->start);
	bool is_end = fragment->kind != FRAGMENT_PARTIAL, lossy = false;
	uint64_t begins = pass->offset;
	struct cursor_mark mark;
	char *room, *to;

	room = buf_reserve(&pass->renderer->text, CURSOR_TEXT_BYTES + opening->length_bytes + 128 +
	                                                  fragment->text_bytes * JSON_ESCAPE_MOST);
	if (!room)
		return -ENOMEM;
	pass->offset += fragment->consumed_bytes;
	pass->is_open = fragment->kind == FRAGMENT_PARTIAL;
	pass->is_finished = fragment->kind == FRAGMENT_UNFINISHED;
	mark = (struct cursor_mark){
		.offset = pass->offset,
		.is_finished = pass->is_finished,
		.identity = pass->generation->identity,
		.fingerprint = fingerprint_at(&pass->fingerprints, pass->offset),
	};
	to = put(room, pass->id.before, pass->id.before_length);
	to += num_format_u64(pass->lines + is_end, to);
	to = put(to, pass->id.between, pass->id.between_length);
	cursor_format_mark(&mark, to);
	to += CURSOR_MARK_TEXT_BYTES;
	to = put(to, pass->id.after, pass->id.after_length);
	to = put(to, opening->data, opening->length_bytes);
	to += json_escape(line, fragment->text_bytes, to, &lossy);
	to = PUT_LITERAL(to, "\",\"n\":");
	to += num_format_u64(pass->lines + 1, to);
	to = PUT_LITERAL(to, ",\"timestamp\":\"");
	to = put(to, pass->timestamps[begins >= pass->generation->opened_size_bytes],
	         CLOCK_RFC3339_BYTES - 1);
	to = PUT_LITERAL(to, "\"");
	if (!is_end)
		to = PUT_LITERAL(to, ",\"partial\":true");
	if (lossy)
		to = PUT_LITERAL(to, ",\"lossy\":true");
	to = PUT_LITERAL(to, "}\n\n");
	pass->renderer->text.length_bytes += (size_t)(to - room);
	pass->lines += fragment->kind == FRAGMENT_LINE;
	pass->events++;
	return 0;
}

/* Has the bytes up to `end` (clamped to the size) in renderer->bytes. */
static int
read_to(struct pass *pass, uint64_t end)
{
	size_t have = (size_t)(pass->end - pass->start), want;
	int error;

	if (end > pass->generation->size_bytes)
		end = pass->generation->size_bytes;
	if (end <= pass->end)
		return 0;
	want = (size_t)(end - pass->end);
	pass->renderer->bytes.length_bytes = have;
	if (!buf_reserve(&pass->renderer->bytes, want))
		return -ENOMEM;
	error = place_read(pass->generation, pass->end, pass->renderer->bytes.data + have, want);
	if (error)
		return error;
	pass->end = end;
	pass->fingerprints.bytes = (const uint8_t *)pass->renderer->bytes.data;
	return 0;
}

/* Where the hole of a sparse file ends that begins at offset, or offset. */
static uint64_t
hole_end(const struct pass *pass, uint64_t offset)
{
	struct generation *g = pass->generation;
	uint64_t end;

	if (pass->renderer->bytes.data[offset - pass->start] != '\0' || !g->source->ops->hole_end)
		return offset;
	end = g->source->ops->hole_end(g, offset);
	return end - offset < HOLE_BYTES ? offset : end;
}

/* A part of a line that runs into a hole ends there. */
static void
stop_at_hole(const struct pass *pass, struct fragment *f)
{
	const char *at = pass->renderer->bytes.data + (pass->offset - pass->start);
	const char *zero;
	uint64_t page;

	if (f->kind != FRAGMENT_PARTIAL || f->text_bytes < HOLE_BYTES)
		return;
	zero = memchr(at, '\0', f->text_bytes);
	if (!zero)
		return;
	page = (pass->offset + (uint64_t)(zero - at) + HOLE_BYTES - 1) / HOLE_BYTES * HOLE_BYTES;
	if (page > pass->offset && page < pass->offset + f->text_bytes && hole_end(pass, page) > page)
		f->text_bytes = f->consumed_bytes = (size_t)(page - pass->offset);
}

/* A block that says what is skipped. */
static int
put_hole(struct pass *pass, uint64_t end)
{
	const struct renderer_job *job = pass->job;
	struct event_gap gap = { .stream = cursor_file_names[job->file], .reason = "hole", .has_from = true,
		                 .from = pass->offset, .has_to = true, .to = end };
	struct cursor cursor = { 0 };
	char text[CURSOR_TEXT_BYTES];
	struct event_id id = { .text = text };
	struct place behind = job->places[job->file];
	bool is_open;
	int error = place_fingerprint(pass->generation, end, &behind.fingerprint, &is_open);

	if (error)
		return error;
	behind.offset = end;
	for (int i = 0; i < CURSOR_FILES; i++)
		place_to_cursor((enum cursor_file)i == job->file ? &behind : &job->places[i],
		                (enum cursor_file)i, &cursor);
	id.length = cursor_format(&cursor, text);
	event_put_gap(&pass->renderer->text, &id, &job->template->run, &gap);
	pass->offset = end;
	pass->hole_fingerprint = behind.fingerprint;
	pass->is_hole = true;
	return buf_error(&pass->renderer->text);
}

static int
put_events(struct pass *pass, uint64_t border)
{
	const struct renderer_job *job = pass->job;
	struct generation *g = pass->generation;
	struct fragment_limits limits = { .max_line_bytes = job->max_line_bytes,
		                          .may_flush = job->may_flush,
		                          .is_final = job->is_final };
	int error;

	while (pass->offset < pass->end && pass->renderer->text.length_bytes < MOST_TEXT_BYTES) {
		const uint8_t *at =
			(const uint8_t *)pass->renderer->bytes.data + (pass->offset - pass->start);
		struct fragment f;
		uint64_t hole = hole_end(pass, pass->offset);

		if (hole > pass->offset)
			return pass->events > 0 ? 0 : put_hole(pass, hole);
		limits.is_all = pass->end == g->size_bytes;
		f = fragment_next(at, (size_t)(pass->end - pass->offset), &limits);
		stop_at_hole(pass, &f);
		if (f.kind == FRAGMENT_NONE) {
			g->unfinished_from = pass->offset;
			g->scanned_to = pass->end;
			break;
		}
		if (f.kind == FRAGMENT_MORE) {
			if (pass->events > 0)
				break; /* the line that crosses the border is the next block's */
			error = read_to(pass, pass->offset + job->max_line_bytes + FRAGMENT_AHEAD_BYTES);
			if (error)
				return error;
			continue;
		}
		if (pass->events > 0 && pass->offset + f.consumed_bytes > border)
			break;
		error = put_event(pass, &f);
		if (error)
			return error;
	}
	if (job->is_final && pass->events == 0 && pass->offset == g->size_bytes && pass->is_open) {
		/* What is left of the last line is nothing: it ends here all the same. */
		struct fragment f = { .kind = FRAGMENT_UNFINISHED };

		return put_event(pass, &f);
	}
	return 0;
}

static int
verify(struct pass *pass, const struct place *place)
{
	if (place->offset > 0 && fingerprint_at(&pass->fingerprints, place->offset) != place->fingerprint) {
		source_rewritten(pass->generation);
		return -ESTALE;
	}
	return 0;
}

static int
render(struct pass *pass)
{
	const struct place *place = &pass->job->places[pass->job->file];
	uint64_t border = ((place->offset + SLICE_BYTES / 2) / SLICE_BYTES + 1) * SLICE_BYTES;
	int error;

	/* What was read for the border may need the head, wherever the place is. */
	error = place_learn_head(pass->generation, pass->generation->size_bytes);
	if (!error)
		error = read_to(pass, border);
	if (error)
		return error;
	fingerprint_begin(&pass->fingerprints, (const uint8_t *)pass->renderer->bytes.data, pass->start,
	                  pass->generation->head);
	error = verify(pass, place);
	if (error)
		return error;
	prepare_id(&pass->id, pass->job);
	clock_format_rfc3339(pass->generation->opened_wall_ms, pass->timestamps[0]);
	clock_format_rfc3339(pass->generation->grown_wall_ms, pass->timestamps[1]);
	return put_events(pass, border);
}

/* At the end of a file that was written to without growing. -ENODATA: it is as it was. */
static int
verify_end(const struct place *place)
{
	uint64_t fingerprint;
	bool is_open;
	int error;

	if (!place->generation->is_suspect)
		return -ENODATA;
	/* The head may be another, too. */
	place->generation->has_head = false;
	error = place_fingerprint(place->generation, place->offset, &fingerprint, &is_open);
	if (error)
		return error;
	if (fingerprint != place->fingerprint) {
		source_rewritten(place->generation);
		return -ESTALE;
	}
	place->generation->is_suspect = false;
	return -ENODATA;
}

int
renderer_render(struct renderer *renderer, const struct renderer_job *job, struct block **ret_block)
{
	const struct place *place = &job->places[job->file];
	struct generation *g = place->generation;
	struct pass pass = {
		.renderer = renderer,
		.job = job,
		.generation = g,
		.start = fingerprint_window_start(place->offset),
		.end = fingerprint_window_start(place->offset),
		.offset = place->offset,
		.lines = place->lines,
		.is_open = place->is_open,
		.is_finished = place->is_finished,
	};
	struct block *block;
	int error;

	if (g->state == GENERATION_LOST)
		return -ESTALE;
	if (place->offset > g->size_bytes)
		return -ENODATA;
	if (place->offset == g->size_bytes && !(job->is_final && place->is_open))
		return verify_end(place);
	if (place->offset >= g->unfinished_from && g->scanned_to == g->size_bytes &&
	    place->offset < g->scanned_to && !job->may_flush && !job->is_final)
		return -ENODATA; /* somebody looked already: there is no line end */
	buf_clear(&renderer->bytes);
	buf_clear(&renderer->text);
	error = render(&pass);
	if (error)
		return error;
	if (pass.events == 0 && !pass.is_hole)
		return -ENODATA;
	block = block_new(renderer->text.data, renderer->text.length_bytes);
	if (renderer->text.capacity_bytes > KEEP_TEXT_BYTES)
		buf_fini(&renderer->text);
	if (!block)
		return -ENOMEM;
	block->events = pass.events;
	block->file = job->file;
	block->offset = pass.offset;
	block->lines = pass.lines;
	block->is_open = pass.is_open;
	block->is_finished = pass.is_finished;
	block->fingerprint = pass.is_hole ? pass.hole_fingerprint
	                                  : fingerprint_at(&pass.fingerprints, pass.offset);
	*ret_block = block;
	return 0;
}
