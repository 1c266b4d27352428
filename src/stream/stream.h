/*
 * A stream, as whoever sends it sees it: it is asked for the next block when there is room to
 * send it, and says when it has none. It keeps nothing for a reader who does not ask, but his place.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct audience;
struct block;
struct stream;

/* Called in the loop's thread when stream_next() may have something: once each time. */
typedef void stream_wake_fn(void *arg);

enum stream_answer {
	STREAM_BLOCK,        /* a block to send */
	STREAM_WAIT,         /* nothing now: wake will be called */
	STREAM_END,          /* the stream is over */
	STREAM_NOTHING_MORE, /* the first answer, to the id of an end that still holds: 204 */
};

/* How far behind its reader is, as far as that can be told without reading. */
struct stream_progress {
	uint64_t bytes_behind, lines_behind;
	bool has_lines; /* lines_behind is known */
};

struct stream_ops {
	enum stream_answer (*next)(struct stream *stream, struct block **ret_block);
	void (*progress)(const struct stream *stream, struct stream_progress *ret_progress);
	/* Ends it and frees what it is embedded in. */
	void (*free)(struct stream *stream);
};

/* Embedded at the start of each kind of stream. */
struct stream {
	const struct stream_ops *ops;
	stream_wake_fn *wake;
	void *arg;
	struct audience *audience; /* in which it waits; NULL: it does not */
	TAILQ_ENTRY(stream) entry; /* there */
};

/* *ret_block (returns owned) is set with STREAM_BLOCK alone. Not for one that waits. */
static inline enum stream_answer
stream_next(struct stream *stream, struct block **ret_block)
{
	return stream->ops->next(stream, ret_block);
}

static inline void
stream_progress(const struct stream *stream, struct stream_progress *ret_progress)
{
	stream->ops->progress(stream, ret_progress);
}

static inline bool
stream_is_waiting(const struct stream *stream)
{
	return stream->audience != NULL;
}

/* Takes NULL; sets the pointer to NULL. */
static inline void
stream_free(struct stream **stream)
{
	if (*stream)
		(*stream)->ops->free(*stream);
	*stream = NULL;
}

#endif
