#include "stream/renderer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "stream/kind.h"
#include "stream/pass.h"

enum {
	/* Small enough that a client which is stuck on a block of its own holds little, large enough
	 * that the window verified before each slice does not count. */
	SLICE_BYTES = 16 * 1024,
	MOST_TEXT_BYTES = 64 * 1024, /* a block is closed beyond it */
	KEEP_TEXT_BYTES = 1024 * 1024, /* scratch above this is given back */
};

struct renderer {
	struct buf bytes; /* of the file */
	struct buf text;  /* of the block */
	struct renderer_figures figures;
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

struct renderer_figures
renderer_figures(const struct renderer *renderer)
{
	return renderer->figures;
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

/* --- for the kinds of streams (pass.h) ----------------------------------------------------------------- */

bool
pass_is_full(const struct pass *pass)
{
	return pass->text->length_bytes >= MOST_TEXT_BYTES;
}

int
pass_read_to(struct pass *pass, uint64_t end)
{
	size_t have = (size_t)(pass->end - pass->start), want;
	int error;

	if (end > pass->limit)
		end = pass->limit;
	if (end <= pass->end)
		return 0;
	want = (size_t)(end - pass->end);
	pass->bytes->length_bytes = have;
	if (!buf_reserve(pass->bytes, want))
		return -ENOMEM;
	error = place_read(pass->generation, pass->end, pass->bytes->data + have, want);
	if (error)
		return error;
	pass->end = end;
	pass->fingerprints.bytes = (const uint8_t *)pass->bytes->data;
	return 0;
}

uint64_t
pass_hole_end(const struct pass *pass, uint64_t offset)
{
	struct generation *g = pass->generation;
	uint64_t end;

	if (pass->bytes->data[offset - pass->start] != '\0' || !g->source->ops->hole_end)
		return offset;
	end = g->source->ops->hole_end(g, offset, g->size_bytes);
	if (end > pass->limit)
		end = pass->limit;
	return end < offset + RENDERER_HOLE_BYTES ? offset : end;
}

int
pass_put_hole(struct pass *pass, uint64_t end)
{
	const struct renderer_job *job = pass->job;
	struct event_gap gap = { .stream = job->gap_stream, .reason = "hole", .has_from = true,
		                 .from = pass->offset, .has_to = true, .to = end };
	struct place places[CURSOR_FILES], *behind = &places[job->file];
	char text[STREAM_ID_BYTES];
	struct stream_id id = { .places = places, .file = job->file, .is_of_entry = true,
		                .prefix = job->id_prefix };
	struct event_id event_id = { .text = text };
	bool is_open;
	int error;

	memcpy(places, job->places, sizeof(places));
	error = place_fingerprint(pass->generation, end, &behind->fingerprint, &is_open);
	if (error)
		return error;
	behind->offset = end;
	event_id.length = job->kind->format_id(&id, text);
	event_put_gap(pass->text, event_id.length > 0 ? &event_id : NULL, &job->template->run, &gap);
	pass->offset = end;
	pass->hole_fingerprint = behind->fingerprint;
	pass->is_hole = true;
	return buf_error(pass->text);
}

void
pass_note_unfinished(struct pass *pass)
{
	struct generation *g = pass->generation;

	if (pass->limit != g->size_bytes)
		return;
	g->unfinished_from = pass->offset;
	g->scanned_to = pass->end;
}

void
pass_count_malformed(struct pass *pass)
{
	struct generation *g = pass->generation;

	if (pass->offset <= g->malformed_to)
		return;
	g->malformed_to = pass->offset;
	pass->malformed++;
}

struct cursor_mark
pass_mark(struct pass *pass)
{
	struct cursor_mark mark = place_mark(pass->generation, pass->offset,
	                                     fingerprint_at(&pass->fingerprints, pass->offset));

	mark.is_finished = pass->is_finished;
	return mark;
}

size_t
pass_format_id(struct pass *pass, char ret_text[static STREAM_ID_BYTES])
{
	const struct renderer_job *job = pass->job;
	struct place places[CURSOR_FILES], *at = &places[job->file];
	struct stream_id id = { .places = places, .file = job->file, .is_of_entry = true,
		                .prefix = job->id_prefix };

	memcpy(places, job->places, sizeof(places));
	at->offset = pass->offset;
	at->lines = pass->lines;
	at->is_open = pass->is_open;
	at->is_finished = pass->is_finished;
	at->fingerprint = fingerprint_at(&pass->fingerprints, pass->offset);
	return job->kind->format_id(&id, ret_text);
}

/* --- one pass ---------------------------------------------------------------------------------------- */

static int
verify(struct pass *pass, const struct place *place)
{
	if (place->offset > 0 && fingerprint_at(&pass->fingerprints, place->offset) != place->fingerprint) {
		source_rewritten(pass->generation);
		return -ESTALE;
	}
	return 0;
}

/* Nothing lies before the start of a file: that it is what it was, what is known of it tells. */
static int
verify_start(const struct place *place)
{
	struct generation *g = place->generation;
	uint64_t fingerprint;
	bool is_open;
	int error;

	if (place->offset > 0 || g->known_to == 0)
		return 0;
	error = place_fingerprint(g, g->known_to, &fingerprint, &is_open);
	if (error || fingerprint == g->known_fingerprint)
		return error;
	source_rewritten(g);
	return -ESTALE;
}

static int
render(struct pass *pass)
{
	const struct place *place = &pass->job->places[pass->job->file];
	uint64_t border = ((place->offset + SLICE_BYTES / 2) / SLICE_BYTES + 1) * SLICE_BYTES;
	int error;

	error = verify_start(place);
	if (error)
		return error;
	/* What was read for the border may need the head, wherever the place is. */
	error = place_learn_head(pass->generation, pass->generation->size_bytes);
	if (!error)
		error = pass_read_to(pass, border);
	if (error)
		return error;
	fingerprint_begin(&pass->fingerprints, (const uint8_t *)pass->bytes->data, pass->start,
	                  pass->generation->head);
	error = verify(pass, place);
	if (error)
		return error;
	return pass->job->kind->put_events(pass, border);
}

int
renderer_render(struct renderer *renderer, const struct renderer_job *job, struct block **ret_block)
{
	const struct place *place = &job->places[job->file];
	struct generation *g = place->generation;
	uint64_t stop = job->limit_bytes > 0 ? job->limit_bytes : UINT64_MAX;
	/* Where an entry ends may be told by what follows it. */
	uint64_t limit = job->kind->has_entries || stop > g->size_bytes ? g->size_bytes : stop;
	struct pass pass = {
		.job = job,
		.generation = g,
		.bytes = &renderer->bytes,
		.text = &renderer->text,
		.limit = limit,
		.stop = stop,
		.start = fingerprint_window_start(place->offset),
		.end = fingerprint_window_start(place->offset),
		.offset = place->offset,
		.lines = place->lines,
		.is_open = place->is_open,
		.is_finished = place->is_finished,
		.line_offset = place->is_open ? place->line_offset : place->offset,
		.line_fingerprint = place->is_open ? place->line_fingerprint : place->fingerprint,
	};
	struct block *block;
	int error;

	if (g->state == GENERATION_LOST || g->is_rewritten)
		return -ESTALE;
	if (place->offset > limit || (job->kind->has_entries && place->offset >= stop))
		return -ENODATA;
	if (place->offset == limit && !(job->is_final && place->is_open)) {
		error = place_verify_end(place);
		return error ? error : -ENODATA;
	}
	if (place->offset >= g->unfinished_from && g->scanned_to == g->size_bytes &&
	    place->offset < g->scanned_to && !job->may_flush && !job->is_final)
		return -ENODATA; /* somebody looked already: there is no line end */
	buf_clear(&renderer->bytes);
	buf_clear(&renderer->text);
	error = render(&pass);
	renderer->figures.malformed += pass.malformed;
	renderer->figures.holes += !error && pass.is_hole;
	if (error)
		return error;
	if (pass.offset == place->offset && pass.events == 0 && pass.is_open == place->is_open)
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
	block->line_offset = pass.line_offset;
	block->line_fingerprint = pass.line_fingerprint;
	block->is_open = pass.is_open;
	block->is_finished = pass.is_finished;
	block->fingerprint = pass.is_hole ? pass.hole_fingerprint
	                                  : fingerprint_at(&pass.fingerprints, pass.offset);
	if (block->offset > g->known_to) {
		g->known_to = block->offset;
		g->known_fingerprint = block->fingerprint;
	}
	*ret_block = block;
	return 0;
}
