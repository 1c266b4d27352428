#include "model/message_cut.h"

#include <string.h>

/* What a line is shows in so many of its bytes. */
enum { LOOK_BYTES = 64 };

struct window {
	const uint8_t *bytes;
	size_t length;
	bool is_final;
};

/* --- lines -------------------------------------------------------------------------------------- */

enum line_kind {
	LINE_TEXT,
	LINE_RULE,
	LINE_STAMP,
	LINE_MORE, /* the window ends before it shows */
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static enum line_kind
classify_rule(const uint8_t *line, size_t length, bool is_final)
{
	for (size_t i = 0; i < LOOK_BYTES; i++) {
		if (i == length)
			return !is_final ? LINE_MORE : i >= 3 ? LINE_RULE : LINE_TEXT;
		if (i >= 3 && line[i] == '\n')
			return LINE_RULE;
		if (i < 3 ? line[i] != '-' : !is_blank(line[i]))
			return LINE_TEXT;
	}
	return LINE_TEXT;
}

/* Whether two digits are a number from low to high. */
static bool
is_within(const uint8_t *digits, int low, int high)
{
	int number = (digits[0] - '0') * 10 + (digits[1] - '0');

	return number >= low && number <= high;
}

static enum line_kind
classify_stamp(const uint8_t *line, size_t length, bool is_final)
{
	static const char pattern[] = "[0000-00-00 00:00:00] ";

	for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
		if (i == length)
			return is_final ? LINE_TEXT : LINE_MORE;
		if (pattern[i] == '0' ? !is_digit(line[i])
		                      : line[i] != (uint8_t)pattern[i] && !(i == 21 && line[i] == '\t'))
			return LINE_TEXT;
	}
	return is_within(line + 6, 1, 12) && is_within(line + 9, 1, 31) &&
	                       is_within(line + 12, 0, 23) && is_within(line + 15, 0, 59) &&
	                       is_within(line + 18, 0, 60)
	               ? LINE_STAMP
	               : LINE_TEXT;
}

/* The line that begins at `at`, below the window's end. */
static enum line_kind
classify(const struct window *w, size_t at)
{
	const uint8_t *line = w->bytes + at;

	if (line[0] == '-')
		return classify_rule(line, w->length - at, w->is_final);
	if (line[0] == '[')
		return classify_stamp(line, w->length - at, w->is_final);
	return LINE_TEXT;
}

/* Where the next line begins, or the file ends; 0: not at hand. */
static size_t
line_end(const struct window *w, size_t at)
{
	const uint8_t *end = memchr(w->bytes + at, '\n', w->length - at);

	if (end)
		return (size_t)(end - w->bytes) + 1;
	return w->is_final ? w->length : 0;
}

/* Whether a line gives `msg_id`. 1: yes; 0: no; -1: the window ends before it shows. */
static int
gives_id(const struct window *w, size_t at)
{
	static const char name[] = "msg_id";
	const uint8_t *line = w->bytes + at;
	size_t length = w->length - at, i = 0;
	uint8_t quote = 0;

	if (length > 0 && (line[0] == '"' || line[0] == '\''))
		quote = line[i++];
	for (size_t n = 0; n < sizeof(name) - 1; n++, i++) {
		if (i >= length)
			return w->is_final ? 0 : -1;
		if (line[i] != (uint8_t)name[n])
			return 0;
	}
	for (; i < LOOK_BYTES; i++) {
		if (i >= length)
			return w->is_final ? 0 : -1;
		if (quote && line[i] == quote)
			quote = 0;
		else if (line[i] == ':' && !quote)
			return 1;
		else if (quote || !is_blank(line[i]))
			return 0;
	}
	return 0;
}

/* --- front matters ------------------------------------------------------------------------------ */

struct head {
	size_t at, bytes;
	size_t behind_at; /* the line behind the rule that closes it */
};

enum opening {
	OPENING_NO,
	OPENING_YES,
	OPENING_MORE,
	OPENING_UNFINISHED, /* it has an id, and the file ends */
};

static bool
is_flow_with_id(const uint8_t *bytes, size_t length)
{
	while (length > 0 && (is_blank(*bytes) || *bytes == '\n')) {
		bytes++;
		length--;
	}
	return length > 0 && *bytes == '{' && memmem(bytes, length, "msg_id", 6) != NULL;
}

static enum opening
end_of_window(const struct window *w, size_t head_at, bool has_id)
{
	if (!w->is_final)
		return OPENING_MORE;
	if (has_id || is_flow_with_id(w->bytes + head_at, w->length - head_at))
		return OPENING_UNFINISHED;
	return OPENING_NO;
}

/* What stands between the rule at `rule_at` and the next one. */
static enum opening
read_head(const struct window *w, size_t rule_at, struct head *ret_head)
{
	size_t head_at = line_end(w, rule_at), at = head_at;
	bool has_id = false;

	while (at - head_at <= MESSAGE_HEAD_BYTES) {
		enum line_kind kind;

		if (at == w->length)
			return end_of_window(w, head_at, has_id);
		kind = classify(w, at);
		if (kind == LINE_STAMP)
			return OPENING_NO;
		if (kind == LINE_MORE)
			return OPENING_MORE;
		if (kind == LINE_RULE) {
			*ret_head = (struct head){ head_at, at - head_at, line_end(w, at) };
			return has_id || is_flow_with_id(w->bytes + head_at, at - head_at) ? OPENING_YES
			                                                                   : OPENING_NO;
		}
		has_id = has_id || gives_id(w, at) == 1;
		at = line_end(w, at);
		if (at == 0 && w->length - head_at <= MESSAGE_HEAD_BYTES)
			return OPENING_MORE;
		if (at == 0)
			break;
	}
	return OPENING_NO;
}

/* Whether a line is of the kind that writers of front matters make: a key, an item of a list, or
 * something indented. */
static bool
is_tidy(const uint8_t *line, size_t length)
{
	size_t i = 0;

	if (line[0] == ' ') {
		while (i < length && (is_blank(line[i]) || line[i] == '\n'))
			i++;
		return i < length;
	}
	if (line[0] == '-')
		return length > 1 && line[1] == ' ';
	while (i < length && line[i] != ':' && line[i] != ' ' && line[i] != '\n')
		i++;
	return i > 0 && i + 1 < length && line[i] == ':' && (is_blank(line[i + 1]) || line[i + 1] == '\n');
}

/*
 * Whether a rule that closes a front matter opens another one, which begins at `head_at`: what it
 * closes was left unfinished then. Bodies that only look a little like a front matter must not be
 * taken for one, hence so strict. YES, NO or MORE.
 */
static enum opening
opens_another(const struct window *w, size_t head_at)
{
	size_t at = head_at;

	while (at - head_at <= MESSAGE_HEAD_BYTES) {
		enum line_kind kind;
		size_t next;
		int has_id;

		if (at == w->length)
			return w->is_final ? OPENING_NO : OPENING_MORE;
		has_id = at == head_at ? gives_id(w, at) : 1;
		if (has_id < 0)
			return OPENING_MORE;
		if (has_id == 0)
			return OPENING_NO;
		kind = classify(w, at);
		if (kind == LINE_RULE)
			return OPENING_YES;
		if (kind == LINE_STAMP)
			return OPENING_NO;
		if (kind == LINE_MORE)
			return OPENING_MORE;
		next = line_end(w, at);
		if (next == 0)
			return w->length - head_at <= MESSAGE_HEAD_BYTES ? OPENING_MORE : OPENING_NO;
		if (!is_tidy(w->bytes + at, next - at))
			return OPENING_NO;
		at = next;
	}
	return OPENING_NO;
}

/* --- entries ------------------------------------------------------------------------------------ */

/* Whether an entry begins with the line at `at`; its head, empty for an old one. */
static enum opening
begins_entry(const struct window *w, size_t at, struct head *ret_head)
{
	struct head head;
	enum opening opening;

	switch (classify(w, at)) {
	case LINE_TEXT:
		return OPENING_NO;
	case LINE_MORE:
		return OPENING_MORE;
	case LINE_STAMP:
		*ret_head = (struct head){ .at = at, .behind_at = at };
		return OPENING_YES;
	case LINE_RULE:
		break;
	}
	opening = read_head(w, at, &head);
	if (opening != OPENING_YES)
		return opening;
	switch (opens_another(w, head.behind_at)) {
	case OPENING_YES:
		return OPENING_NO;
	case OPENING_MORE:
		return OPENING_MORE;
	case OPENING_NO:
	case OPENING_UNFINISHED:
		break;
	}
	*ret_head = head;
	return OPENING_YES;
}

enum found_kind {
	FOUND_ENTRY,      /* at `at` */
	FOUND_UNFINISHED, /* the same, but it is not all there */
	FOUND_MORE,       /* whether one begins at `at` cannot be told */
	FOUND_END,        /* none; `at`: the end, or the start of a last line that may go on */
	FOUND_NONE,       /* none begins up to `most`; `at`: the last line that begins there */
};

struct found {
	enum found_kind kind;
	size_t at;
};

/* Looks for an entry that begins at `most` or before, but not with the line at `from` if that
 * is_inside something. */
static struct found
find_entry(const struct window *w, size_t from, bool is_inside, size_t most)
{
	size_t at = from, last = from;

	while (at <= most) {
		struct head head;
		enum opening opening = OPENING_NO;

		if (at == w->length)
			return (struct found){ FOUND_END, at };
		if (at != from || !is_inside)
			opening = begins_entry(w, at, &head);
		if (opening != OPENING_NO)
			return (struct found){ opening == OPENING_YES    ? FOUND_ENTRY
			                       : opening == OPENING_MORE ? FOUND_MORE
			                                                 : FOUND_UNFINISHED,
			                       at };
		last = at;
		at = line_end(w, at);
		if (at == 0 && w->length <= most)
			return (struct found){ FOUND_END, last };
		if (at == 0)
			break;
	}
	return (struct found){ FOUND_NONE, last };
}

/* With final bytes, `more` are the same for eyes that expect more to come. */
static struct message_cut
cut_entry(const struct window *w, const struct window *more, const struct head *head)
{
	bool is_legacy = head->behind_at == 0;
	struct found next = find_entry(w, head->behind_at, is_legacy, MESSAGE_BYTES);
	size_t end = next.at, sure = end;

	switch (next.kind) {
	case FOUND_ENTRY:
		break;
	case FOUND_MORE:
		return (struct message_cut){ .kind = MESSAGE_CUT_MORE };
	case FOUND_END:
		if (!w->is_final)
			return (struct message_cut){ .kind = MESSAGE_CUT_MORE };
		end = w->length;
		/* fall through */
	case FOUND_UNFINISHED:
		sure = find_entry(more, head->behind_at, is_legacy, MESSAGE_BYTES).at;
		break;
	case FOUND_NONE:
		return (struct message_cut){ .kind = MESSAGE_CUT_TOO_LONG,
			                     .consumed_bytes = end > 0 ? end : MESSAGE_BYTES };
	}
	return (struct message_cut){ .kind = MESSAGE_CUT_ENTRY,
		                     .consumed_bytes = sure > 0 ? sure : end,
		                     .is_legacy = is_legacy,
		                     .head_at = head->at,
		                     .head_bytes = head->bytes,
		                     .body_at = head->behind_at,
		                     .body_bytes = end - head->behind_at };
}

/* Text that begins where a line does, which is not an entry's first. */
static struct message_cut
cut_text(const struct window *w)
{
	size_t end = find_entry(w, 0, true, SIZE_MAX).at;

	/* A line that never ends must not be waited for. */
	if (end == 0 && w->length >= MESSAGE_HEAD_BYTES)
		end = w->length;
	if (end == 0)
		return (struct message_cut){ .kind = MESSAGE_CUT_MORE };
	return (struct message_cut){ .kind = MESSAGE_CUT_TEXT, .consumed_bytes = end };
}

struct message_cut
message_cut_next(const uint8_t *bytes, size_t length, const struct message_cut_limits *limits)
{
	struct window more = { bytes, length, false }, final = { bytes, length, true };
	struct message_cut cut = { .kind = MESSAGE_CUT_MORE };
	struct head head;

	if (limits->is_in_line) {
		size_t end = line_end(&final, 0);

		return (struct message_cut){ .kind = MESSAGE_CUT_TEXT, .consumed_bytes = end };
	}
	/* What can be told whatever follows is told so in any case. */
	switch (begins_entry(&more, 0, &head)) {
	case OPENING_YES:
		cut = cut_entry(&more, &more, &head);
		break;
	case OPENING_NO:
		cut = cut_text(&more);
		break;
	case OPENING_MORE:
	case OPENING_UNFINISHED:
		break;
	}
	if (cut.kind != MESSAGE_CUT_MORE || !limits->is_final)
		return cut;
	if (begins_entry(&final, 0, &head) == OPENING_YES)
		return cut_entry(&final, &more, &head);
	return (struct message_cut){ .kind = MESSAGE_CUT_UNFINISHED, .consumed_bytes = length };
}
