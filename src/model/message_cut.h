/*
 * Cutting the bytes of a message bus into its entries. Pure.
 *
 *   entry        = front-matter body | stamp-line body
 *   front-matter = rule *line rule              with a line that gives `msg_id`
 *   rule         = "---" *60(SP / HTAB / CR) LF
 *   stamp-line   = "[YYYY-MM-DD HH:MM:SS]" (SP / HTAB) text LF      (the old form)
 *   body         = *line                        up to where the next entry begins
 *
 * A rule is part of the text unless it opens a front matter: another rule follows within
 * MESSAGE_HEAD_BYTES, no stamp line comes before it, and a line between them begins with `msg_id:`
 * (the name may be quoted), or all between them is a flow mapping ("{…}") that names it. Where
 * what would close one front matter opens another, the first was never finished by its writer and
 * is text: that is so when the line behind it begins with `msg_id:`, and it and all lines up to a
 * rule look like the keys of a mapping.
 *
 * Whether a front matter is YAML, and its id is one, is message_parse()'s to say. What comes
 * before the first entry belongs to none.
 *
 * Where entries are cut depends on the bytes of the file alone, not on how they were sliced.
 */
#ifndef MODEL_MESSAGE_CUT_H
#define MODEL_MESSAGE_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MESSAGE_BYTES = 1024 * 1024,    /* of an entry */
	MESSAGE_HEAD_BYTES = 64 * 1024, /* between the two rules */
	/* With so many bytes at hand the answer is never MESSAGE_CUT_MORE. */
	MESSAGE_WINDOW_BYTES = MESSAGE_BYTES + 2 * MESSAGE_HEAD_BYTES + 4096,
};

enum message_cut_kind {
	MESSAGE_CUT_MORE,       /* cannot be told without the bytes that follow; never when final */
	MESSAGE_CUT_TEXT,       /* consumed_bytes of no entry */
	MESSAGE_CUT_ENTRY,
	MESSAGE_CUT_TOO_LONG,   /* consumed_bytes of an entry above MESSAGE_BYTES: malformed; what is
	                         * left of it comes as text */
	MESSAGE_CUT_UNFINISHED, /* only when final: the rest (consumed_bytes) is no entry, but may
	                         * become one, or the start of one, if the file grows: then it must
	                         * be read again. It is text if nothing will ever follow */
};

/* Offsets and lengths in the bytes that were given. */
struct message_cut {
	enum message_cut_kind kind;
	/* Where to go on. Of the last entry of final bytes, an end that may yet turn out to be the
	 * start of another is its text and is not consumed. */
	size_t consumed_bytes;
	/* Of an entry: */
	bool is_legacy;               /* the old form; head is empty, body begins with its stamp */
	size_t head_at, head_bytes;   /* between the rules */
	size_t body_at, body_bytes;   /* up to the next entry; blank lines not trimmed */
};

/* What is known of the bytes. */
struct message_cut_limits {
	bool is_final;   /* they end where the file does, and its last entry is complete as it is */
	bool is_in_line; /* they do not begin where a line does: the byte before them is no LF. So it
	                  * may be behind text with very long lines, and at a file's end */
};

/*
 * What comes first in length bytes (not 0). The last entry at hand ends only where they are
 * final.
 */
struct message_cut message_cut_next(const uint8_t *bytes, size_t length,
                                    const struct message_cut_limits *limits);

#endif
