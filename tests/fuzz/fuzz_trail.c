/* Segments of trails: whatever is in the file, what is read of it lies in it, and is written again as the
 * same. A batch's checksum is mended, so that its records are come to. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/trail.h"

static void
check_records(struct trail_batch *batch)
{
	const uint8_t *end = batch->records + batch->length;
	struct buf text = BUF_INIT;
	struct trail_record r;

	for (const uint8_t *at = batch->records; trail_next_record(batch, &r); at = batch->records) {
		must(batch->records > at && batch->records + batch->length == end);
		if (r.kind == TRAIL_MEMBER)
			must((const uint8_t *)r.member.run_id + r.member.run_id_length <= end);
		if (r.kind != TRAIL_FEED)
			for (int i = 0; i < CURSOR_FILES; i++)
				must(r.member.cursor.files[i].mark.offset < CURSOR_OFFSET_LIMIT);
		buf_clear(&text);
		trail_put(&text, &r);
		must(!buf_error(&text) && text.length_bytes == (size_t)(batch->records - at));
	}
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	size_t at = TRAIL_HEADER_BYTES;
	struct trail_batch batch;
	uint64_t trail, first_tick;

	must(bytes);
	memcpy(bytes, data, size);
	if (size > TRAIL_HEADER_BYTES + TRAIL_BATCH_HEADER_BYTES) {
		uint8_t *header = bytes + TRAIL_HEADER_BYTES;
		uint32_t length;
		uint64_t tick, checksum;

		memcpy(&length, header + 4, sizeof(length));
		memcpy(&tick, header + 8, sizeof(tick));
		if (length <= size - TRAIL_HEADER_BYTES - TRAIL_BATCH_HEADER_BYTES) {
			checksum = XXH3_64bits_withSeed(header + TRAIL_BATCH_HEADER_BYTES, length, tick);
			memcpy(header + 16, &checksum, sizeof(checksum));
		}
	}
	if (trail_read_header(bytes, size, &trail, &first_tick) == 0)
		while (trail_next_batch(bytes, size, &at, &batch)) {
			must(at <= size && batch.records + batch.length == bytes + at);
			check_records(&batch);
		}
	free(bytes);
	return 0;
}
