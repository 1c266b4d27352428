/*
 * Decodes an HTTP/1.1 answer whose body is a stream of Server-Sent Events, from pieces as they
 * come: status line, chunked transfer coding (RFC 9112, section 7.1) or a body until the end,
 * and events (WHATWG HTML, 9.2.6). Made to cost next to nothing beside recv(2): one memchr(3)
 * a line, nothing copied or allocated but the event that a piece's border cuts.
 *
 * Lines end with LF or CRLF (a CR alone, which the standard also allows, is text here).
 */
#ifndef BENCH_SSE_READER_H
#define BENCH_SSE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SSE_READER_CARRY_BYTES_MAX = 4 << 20 };

/* Borrowed from the piece being read; NULL and 0 where a field is not there. */
struct sse_event {
	const char *type;
	size_t type_length;
	const char *id;
	size_t id_length;
	const char *data; /* its first line */
	size_t data_length;
};

typedef void sse_event_fn(void *arg, const struct sse_event *event);

enum sse_phase {
	SSE_HEAD,
	SSE_BODY,        /* not chunked */
	SSE_CHUNK_SIZE,
	SSE_CHUNK_SKIP,  /* what may follow the size, up to LF */
	SSE_CHUNK_DATA,
	SSE_CHUNK_END,   /* the CRLF after the data */
	SSE_TRAILER,     /* all was received */
	SSE_BROKEN,
};

struct sse_reader {
	sse_event_fn *fn;
	void *arg;
	enum sse_phase phase;
	int status;            /* 0 until the head is complete */
	uint64_t chunk_left;
	uint64_t body_bytes;
	uint64_t comments;
	struct buf carry;      /* the head so far, or an event cut by a piece's border */
};

void sse_reader_init(struct sse_reader *r, sse_event_fn *fn, void *arg);
void sse_reader_fini(struct sse_reader *r);

/* Calls fn for each event completed by this piece. 0, or -EPROTO, and from then on for good. */
int sse_reader_feed(struct sse_reader *r, const char *piece, size_t length);

#endif
