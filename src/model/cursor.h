/*
 * Ids of a run's log stream: what clients send in Last-Event-ID, and what the server sends.
 *
 *   id      = number | part *(sep part)
 *   part    = name eq value
 *   name    = "s" | "stdout" | "out" | "e" | "stderr" | "err"    lines of each file seen
 *           | "o" | "r"      a mark in stdout, in stderr (server's ids)
 *           | "end"          value 1: the id of `complete`
 *   sep     = ";" | "," | "|"       eq = "=" | ":"
 *
 * Blanks around parts are skipped, unknown names are passed over, a name given twice is an
 * error. A mark is 22 characters of base64url (RFC 4648 section 5, no padding) over 16 bytes,
 * big-endian: byte offset (47 bits), 1 bit "the unfinished last line was finished",
 * identity of the file (32 bits), fingerprint (48 bits; at offset 0: when the content was begun to be
 * read). That time, where it tells more than so few bytes do, makes 8 characters more (48 bits).
 */
#ifndef MODEL_CURSOR_H
#define MODEL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cursor_file { CURSOR_STDOUT, CURSOR_STDERR, CURSOR_FILES };

/* What events and parameters call them: "stdout", "stderr". */
extern const char *const cursor_file_names[CURSOR_FILES];

/* Reads names with commas between them ("stdout,stderr") into bits, 1 << enum cursor_file. 0, or
 * -EINVAL for another name or none. */
int cursor_parse_files(const char *names, unsigned *ret_files);

enum {
	CURSOR_POSITION_TEXT_BYTES = 22, /* what all who read the same place in a file write of its mark */
	CURSOR_MARK_TEXT_BYTES = 30,     /* longest mark */
	CURSOR_TEXT_BYTES = 116,    /* longest id; of lines that there can be, 100 */
	CURSOR_INPUT_BYTES = 1024,  /* longest id that is read */
};

#define CURSOR_OFFSET_LIMIT (UINT64_C(1) << 47)

#define CURSOR_FINGERPRINT_MASK ((UINT64_C(1) << 48) - 1)

/* Logs begin alike: below that offset, what lies before a place need not tell a file from another. */
enum { CURSOR_SHORT_BYTES = 4096 };

/* A place in one file. */
struct cursor_mark {
	uint64_t offset;      /* bytes; below CURSOR_OFFSET_LIMIT */
	bool is_finished;     /* a last line without newline, before offset, counts as a line */
	uint32_t identity;    /* of the file: a hash of inode number and birth time */
	uint64_t fingerprint; /* model/fingerprint.h, at offset; 0 at 0 */
	int64_t begun_ms;     /* when the content before it was begun to be read, since the epoch, for offsets
	                       * below CURSOR_SHORT_BYTES: what copies were made before are not of it; 0: not
	                       * known */
};

struct cursor {
	bool is_number; /* a plain number: N lines of each file, at most its end */
	bool is_end;    /* the id of `complete` */
	struct {
		uint64_t lines; /* 0 if the part is missing */
		bool has_mark;
		struct cursor_mark mark;
	} files[CURSOR_FILES];
};

/* Reads an id of length bytes. 0, or -EINVAL: cannot be parsed. Numbers too large are clamped. */
int cursor_parse(const char *text, size_t length, struct cursor *ret_cursor);

/* Whether its bytes need not tell its file from another that begins alike. */
static inline bool
cursor_mark_is_short(const struct cursor_mark *mark)
{
	return mark->offset > 0 && mark->offset < CURSOR_SHORT_BYTES;
}

/* Reads a mark. 0 or -EINVAL. */
int cursor_parse_mark(const char *text, size_t length, struct cursor_mark *ret_mark);

/* Writes a mark; returns its length: CURSOR_POSITION_TEXT_BYTES, or CURSOR_MARK_TEXT_BYTES. */
size_t cursor_format_mark(const struct cursor_mark *mark, char ret_text[static CURSOR_MARK_TEXT_BYTES]);

/* Writes an id as the server sends it, without a NUL; returns its length. lines < 10^19. */
size_t cursor_format(const struct cursor *cursor, char ret_text[static CURSOR_TEXT_BYTES]);

#endif
