#include "stream/message_start.h"

#include <errno.h>

int
message_start_resolve(const struct start *start, enum cursor_file file, struct source *source,
                      struct offload *offload, struct start_progress *progress,
                      struct place *ret_place, struct event_gap *ret_gap)
{
	return start_resolve(start, file, source, offload, progress, ret_place, ret_gap);
}
