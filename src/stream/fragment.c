#include "stream/fragment.h"

#include <string.h>

#include "model/utf8.h"

static struct fragment
partial(const uint8_t *bytes, size_t length)
{
	size_t cut = utf8_cut(bytes, length);

	/* A CR may be the first half of a line end. */
	if (cut > 0 && bytes[cut - 1] == '\r')
		cut--;
	return (struct fragment){ cut > 0 ? FRAGMENT_PARTIAL : FRAGMENT_NONE, cut, cut };
}

struct fragment
fragment_next(const uint8_t *bytes, size_t length, const struct fragment_limits *limits)
{
	size_t most = limits->max_line_bytes, ahead = most + FRAGMENT_AHEAD_BYTES;
	const uint8_t *end = memchr(bytes, '\n', length < ahead ? length : ahead);

	if (end) {
		size_t text = (size_t)(end - bytes), consumed = text + 1;

		if (text > 0 && bytes[text - 1] == '\r')
			text--;
		if (text <= most)
			return (struct fragment){ FRAGMENT_LINE, text, consumed };
	}
	if (length >= ahead || (length > most && limits->is_final)) {
		struct fragment f = partial(bytes, most);

		/* A CR that stands alone at the cut goes with what follows it; only where the whole
		 * fragment is one must it go, or nothing would. */
		if (f.kind == FRAGMENT_NONE)
			f = (struct fragment){ FRAGMENT_PARTIAL, most, most };
		return f;
	}
	if (!limits->is_all)
		return (struct fragment){ .kind = FRAGMENT_MORE };
	if (limits->is_final)
		return (struct fragment){ FRAGMENT_UNFINISHED, length, length };
	if (limits->may_flush)
		return partial(bytes, length < most ? length : most);
	return (struct fragment){ .kind = FRAGMENT_NONE };
}
