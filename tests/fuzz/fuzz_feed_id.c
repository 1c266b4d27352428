/* Ids of streams of many runs: what was understood is written and understood again as the same. */
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/feed_id.h"

static void
check_same_point(const struct feed_point *a, const struct feed_point *b)
{
	must(a->trail == b->trail && a->feed == b->feed && a->tick == b->tick);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed_id id, again;
	char text[FEED_ID_BYTES];
	size_t length;

	if (feed_id_parse((const char *)data, size, &id) != 0)
		return 0;
	must(size <= CURSOR_INPUT_BYTES);
	must(!id.has_mark || id.mark.offset < CURSOR_OFFSET_LIMIT);
	length = feed_id_format(&id, text);
	must(length <= FEED_ID_BYTES && memcmp(text, "f=", 2) == 0);
	must(feed_id_parse(text, length, &again) == 0);
	check_same_point(&id.point, &again.point);
	must(id.has_member == again.has_member && id.member == again.member);
	must(id.is_walk == again.is_walk && id.slot == again.slot && id.registry == again.registry);
	must(id.begins == again.begins && id.tail_entries == again.tail_entries);
	check_same_point(&id.base, &again.base);
	return 0;
}
