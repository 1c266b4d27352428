/*
 * Cutting a file's bytes into fragments of lines: what one log event carries. Pure.
 *
 * A line ends with LF or CRLF. A line longer than the bound comes in several fragments, cut at
 * the bound but never inside a UTF-8 sequence or between CR and LF.
 */
#ifndef STREAM_FRAGMENT_H
#define STREAM_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fragment_kind {
	FRAGMENT_NONE,       /* nothing that may be sent yet */
	FRAGMENT_LINE,       /* the end of a line */
	FRAGMENT_PARTIAL,    /* a part; the line goes on */
	FRAGMENT_UNFINISHED, /* the end of a last line that has no line end */
	FRAGMENT_MORE,       /* cannot be told without the bytes that follow */
};

struct fragment {
	enum fragment_kind kind;
	size_t text_bytes;     /* without the line end */
	size_t consumed_bytes; /* with it */
};

/* What may be done with bytes that end without a line end. */
struct fragment_limits {
	size_t max_line_bytes;
	bool is_all;    /* nothing follows the bytes as yet */
	bool may_flush; /* they rested: a part may be sent */
	bool is_final;  /* nothing will ever follow: finish the line */
};

/* How many bytes beyond max_line_bytes decide where a fragment ends. */
enum { FRAGMENT_AHEAD_BYTES = 2 };

/* The next fragment of length bytes (not 0) at bytes. */
struct fragment fragment_next(const uint8_t *bytes, size_t length,
                              const struct fragment_limits *limits);

#endif
