#include "follow/message_scan.h"

#include "follow/line_index.h"

struct message_cut
message_scan_next(struct message_position *position, const uint8_t *bytes, size_t length, bool is_final)
{
	struct message_cut_limits limits = { .is_final = is_final, .is_in_line = position->is_in_line };
	struct message_cut cut = message_cut_next(bytes, length, &limits);

	if (cut.kind == MESSAGE_CUT_MORE || cut.kind == MESSAGE_CUT_UNFINISHED)
		return cut;
	position->offset += cut.consumed_bytes;
	position->lines += line_index_count_ends(bytes, cut.consumed_bytes);
	position->is_in_line = bytes[cut.consumed_bytes - 1] != '\n';
	return cut;
}

enum {
	HOLE_BYTES = 256 * 1024, /* that are worth it */
	HOLE_KEPT_BYTES = 4096,  /* read all the same: what is last is looked at as it stands */
};

void
message_scan_pass_hole(struct generation *generation, uint64_t upto, struct message_position *position)
{
	const struct source_ops *ops = generation->source->ops;
	uint64_t end;

	if (!ops->hole_end || position->offset >= upto)
		return;
	end = ops->hole_end(generation, position->offset, upto);
	if (end - position->offset < HOLE_BYTES)
		return;
	position->offset = end - HOLE_KEPT_BYTES;
	position->is_in_line = true;
}

int64_t
message_scan_read(struct generation *generation, uint64_t offset, uint64_t upto, uint8_t *to)
{
	size_t wanted = upto - offset < MESSAGE_SCAN_BYTES ? (size_t)(upto - offset) : MESSAGE_SCAN_BYTES;
	size_t length = 0;

	while (length < wanted) {
		int64_t n = generation->source->ops->read_waiting(generation, offset + length, to + length,
		                                                  wanted - length);

		if (n <= 0)
			return n;
		length += (size_t)n;
	}
	return (int64_t)length;
}
