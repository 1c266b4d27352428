/* What a channel's subscribers are given: blocks of its files, rendered once for all who are at the same
 * places. */
#include "stream/channel.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* --- how late they are ------------------------------------------------------------------------------------ */

/* A block was rendered: if it has the beginning of what is awaited, it is what will be measured. */
static void
measure(struct channel *c, const struct generation *g, struct block *block)
{
	struct channel_growth *growth = &c->growths[block->file];

	if (growth->appended_us == 0 || g != c->sources[block->file]->current ||
	    block->offset <= growth->from)
		return;
	block->appended_us = growth->appended_us;
	growth->appended_us = 0;
}

/* What came is not to be sent yet (a line without its end, an entry whose writer is at it): that is no
 * delay. */
static void
measure_nothing(struct channel *c)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		c->growths[i].appended_us = 0;
}

/* --- blocks ------------------------------------------------------------------------------------------------ */

static struct block_key
key_of(const struct place *places, const uint64_t *limits)
{
	struct block_key key;

	memset(&key, 0, sizeof(key));
	for (int i = 0; i < CURSOR_FILES; i++) {
		key.files[i].offset = places[i].offset;
		key.files[i].lines = places[i].lines;
		key.files[i].fingerprint = places[i].fingerprint;
		key.files[i].generation = places[i].generation->serial;
		key.files[i].is_finished = places[i].is_finished;
		if (limits)
			key.limits[i] = limits[i];
	}
	return key;
}

/* Whether an unfinished line may go as it is; if only time is missing, has it pass. */
static bool
may_flush(struct channel *c, const struct generation *g)
{
	int64_t flush_ms = c->hub->settings->api.sse.partial_flush_ms;
	int64_t due_ms = g->changed_ms + flush_ms;

	/* Of a run that has ended it is finished as soon, and then it comes in one piece. */
	if (c->run->is_terminal && c->hub->settings->api.sse.terminal_linger_ms <= flush_ms &&
	    run_end_is_sure(c))
		return false;
	if (clock_now_ms() >= due_ms)
		return true;
	channel_wake_at(c, due_ms);
	return false;
}

static int
render(struct channel *c, const struct place *places, enum cursor_file file, uint64_t limit,
       struct block **ret_block)
{
	const struct stream_kind *kind = c->key.kind;
	const struct generation *g = places[file].generation;
	struct renderer_job job = {
		.kind = kind,
		.template = &c->template,
		.places = places,
		.file = file,
		.gap_stream = channel_file_name(c, file),
		.id_prefix = c->id_prefix,
		.max_line_bytes = (size_t)c->hub->settings->api.sse.max_line_bytes,
		.limit_bytes = limit & ~CHANNEL_LIMIT_FINISHES,
	};
	int error = renderer_render(c->hub->renderer, &job, ret_block);

	if (error != -ENODATA)
		return error;
	/* No whole entry. What there is of one is sent when it rested, and finished when no more
	 * can come; up to a limit it was one or the other. */
	if (limit > 0) {
		job.is_final = !kind->flushes || (limit & CHANNEL_LIMIT_FINISHES);
		job.may_flush = !job.is_final;
		return renderer_render(c->hub->renderer, &job, ret_block);
	}
	job.is_final = g->state == GENERATION_ENDED || (kind->is_whole && kind->is_whole(c, g)) ||
	               channel_is_finished(c) || channel_is_gone(c);
	job.may_flush = kind->flushes && !c->holds_unfinished && !job.is_final &&
	                places[file].offset < g->size_bytes && may_flush(c, g);
	if (!job.is_final && !job.may_flush)
		return -ENODATA;
	return renderer_render(c->hub->renderer, &job, ret_block);
}

int
channel_next_block(struct channel *c, const struct place places[static CURSOR_FILES],
                   const uint64_t *limits, struct block **ret_block)
{
	struct block_key key = key_of(places, limits);
	struct block *block = block_cache_find(&c->hub->cache, &c->blocks, &key);
	/* The one that is less far goes first: a rule that depends on nothing but the place, so that
	 * all come by the same blocks. */
	enum cursor_file first = places[CURSOR_STDERR].offset < places[CURSOR_STDOUT].offset
	                                 ? CURSOR_STDERR
	                                 : CURSOR_STDOUT;
	enum cursor_file order[CURSOR_FILES] = {
		first, first == CURSOR_STDOUT ? CURSOR_STDERR : CURSOR_STDOUT
	};
	int error = -ENODATA, worst = -ENODATA;

	if (block) {
		*ret_block = block_ref(block);
		return 0;
	}
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (!c->followers[order[i]] || (limits && limits[order[i]] == 0))
			continue;
		error = render(c, places, order[i],
		               limits && limits[order[i]] != CHANNEL_NO_LIMIT ? limits[order[i]] : 0,
		               &block);
		if (error == 0)
			break;
		if (error != -ENODATA)
			worst = error;
		if (error != -ENODATA && error != -EAGAIN && error != -ESTALE) {
			c->sources[order[i]]->tell = true; /* failed: tried again after a look */
			c->hub->reads_failed++;
			c->hub->read_error = -error;
		}
	}
	if (error == -ENODATA && worst == -ENODATA && !limits)
		measure_nothing(c);
	if (error)
		return worst;
	measure(c, places[block->file].generation, block);
	c->hub->blocks_rendered++;
	if (c->references > 1)
		block_cache_keep(&c->hub->cache, &c->blocks, &key, block);
	*ret_block = block;
	return 0;
}
