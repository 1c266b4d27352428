/*
 * From bytes of a file to a block of log events: reads a slice at a place, verifies that what
 * lies before it is what was read before, and renders the lines in it with their ids.
 */
#ifndef STREAM_RENDERER_H
#define STREAM_RENDERER_H

#include "base/buf.h"
#include "follow/place.h"
#include "model/event.h"
#include "stream/block.h"

/* Scratch memory, one for a process. */
struct renderer;

int renderer_new(struct renderer **ret_renderer);
void renderer_free(struct renderer **renderer);
struct renderer_figures {
	uint64_t malformed; /* entries (of events, of messages) that were passed over, as they are */
	uint64_t holes;     /* gaps that were made for them */
};
struct renderer_figures renderer_figures(const struct renderer *renderer);

/* What the log events of one run's file have in common, rendered once. */
struct renderer_template {
	struct event_run run;              /* borrowed, as given */
	struct buf opening[CURSOR_FILES]; /* from behind the id to the line's text */
};

/* Returns 0 or -ENOMEM. */
int renderer_template_init(struct renderer_template *t, const struct event_run *run);
void renderer_template_fini(struct renderer_template *t);

/* Holes of sparse files begin and end at pages; smaller ones are shown as the zeros that they
 * read as. */
enum { RENDERER_HOLE_BYTES = 4096 };

struct stream_kind;

struct renderer_job {
	const struct stream_kind *kind;
	const struct renderer_template *template; /* borrowed */
	const struct place *places;               /* one for each file; borrowed */
	enum cursor_file file;                    /* whose entries to render */
	const char *gap_stream;                   /* what gaps call it; NULL: nothing */
	const char *id_prefix;                    /* of streams of many runs, else NULL */
	size_t max_line_bytes;
	uint64_t limit_bytes; /* what lies beyond this offset is left out; 0: nothing */
	bool may_flush; /* an unfinished last line may be sent as a partial one */
	bool is_final;  /* it will not grow any more: finish it */
};

/*
 * Renders a block of events that begins at the place. Blocks end at places that do not depend
 * on where they began (the line end before the next 16 KiB border of the file, but the nearest
 * half is skipped), so that readers who began anywhere soon share them.
 *
 * Returns 0 and a block (returns owned); -ENODATA: there is nothing to send at the place yet;
 * -EAGAIN: the bytes are being fetched; -ESTALE: the content before the place has changed (the
 * source was told); other -errno.
 */
int renderer_render(struct renderer *renderer, const struct renderer_job *job,
                    struct block **ret_block);

#endif
