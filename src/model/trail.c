#include "model/trail.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "base/must.h"

#define MAGIC "RStrail\n"
enum { BATCH_MAGIC = 0x62745352 }; /* "RStb" */

struct header {
	char magic[8];
	uint32_t version;
	uint32_t padding;
	uint64_t trail;
	uint64_t first_tick;
};
static_assert(sizeof(struct header) == TRAIL_HEADER_BYTES, "layout");

struct batch_header {
	uint32_t magic;
	uint32_t bytes; /* of its records */
	uint64_t tick;
	uint64_t checksum; /* of its records, seeded with the tick */
};
static_assert(sizeof(struct batch_header) == TRAIL_BATCH_HEADER_BYTES, "layout");

enum { FEED_LEFT_OUT = 1, FEED_OF_TASK = 2 };
enum { MEMBER_BEGINS = 1, MEMBER_IS_OVER = 2, MEMBER_FILE = 4 /* << enum cursor_file */ };

/* --- writing ------------------------------------------------------------------------------------------ */

static void
put_u8(struct buf *to, uint8_t value)
{
	buf_append(to, &value, sizeof(value));
}

static void
put_u32(struct buf *to, uint32_t value)
{
	buf_append(to, &value, sizeof(value));
}

static void
put_u64(struct buf *to, uint64_t value)
{
	buf_append(to, &value, sizeof(value));
}

static void
put_text(struct buf *to, const char *text, uint8_t length)
{
	put_u8(to, length);
	buf_append(to, text, length);
}

void
trail_put_header(struct buf *to, uint64_t trail, uint64_t first_tick)
{
	struct header header = { .magic = MAGIC, .version = TRAIL_VERSION, .trail = trail,
		                 .first_tick = first_tick };

	buf_append(to, &header, sizeof(header));
}

size_t
trail_begin_batch(struct buf *to, uint64_t tick)
{
	struct batch_header header = { .magic = BATCH_MAGIC, .tick = tick };
	size_t at = to->length_bytes;

	buf_append(to, &header, sizeof(header));
	return at;
}

void
trail_end_batch(struct buf *to, size_t batch)
{
	struct batch_header header;
	size_t length;

	if (buf_error(to))
		return;
	length = to->length_bytes - batch - sizeof(header);
	must(length <= UINT32_MAX);
	memcpy(&header, to->data + batch, sizeof(header));
	header.bytes = (uint32_t)length;
	header.checksum = XXH3_64bits_withSeed(to->data + batch + sizeof(header), length, header.tick);
	memcpy(to->data + batch, &header, sizeof(header));
}

static void
put_feed(struct buf *to, const struct trail_feed *feed)
{
	put_u8(to, (uint8_t)feed->kind);
	put_u8(to, feed->files);
	put_u8(to, (uint8_t)((feed->has_left_out ? FEED_LEFT_OUT : 0) |
	                     (feed->is_of_task ? FEED_OF_TASK : 0)));
	put_u32(to, feed->registry);
	put_u64(to, (uint64_t)feed->horizon_ms);
	put_u32(to, feed->horizon_slots);
	put_text(to, feed->project_id, feed->project_length);
	put_text(to, feed->task_id, feed->task_length);
}

static void
put_member(struct buf *to, const struct trail_member *member)
{
	unsigned flags = (member->begins ? MEMBER_BEGINS : 0) | (member->is_over ? MEMBER_IS_OVER : 0);

	for (int i = 0; i < CURSOR_FILES; i++)
		flags |= member->cursor.files[i].has_mark ? (unsigned)MEMBER_FILE << i : 0;
	put_u32(to, member->number);
	put_u8(to, (uint8_t)flags);
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct cursor_mark *mark = &member->cursor.files[i].mark;

		if (!member->cursor.files[i].has_mark)
			continue;
		put_u64(to, mark->offset << 1 | mark->is_finished);
		put_u64(to, mark->fingerprint);
		put_u64(to, (uint64_t)mark->begun_ms);
		put_u64(to, member->cursor.files[i].lines);
		put_u32(to, mark->identity);
	}
}

void
trail_put(struct buf *to, const struct trail_record *record)
{
	put_u8(to, (uint8_t)record->kind);
	put_u32(to, record->feed);
	switch (record->kind) {
	case TRAIL_FEED:
		put_feed(to, &record->of);
		break;
	case TRAIL_MEMBER:
		put_member(to, &record->member);
		put_text(to, record->member.run_id, record->member.run_id_length);
		break;
	case TRAIL_PLACE:
		put_member(to, &record->member);
		break;
	}
}

/* --- reading ------------------------------------------------------------------------------------------ */

int
trail_read_header(const void *bytes, size_t length, uint64_t *ret_trail, uint64_t *ret_first_tick)
{
	struct header header;

	if (length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0)
		return -EBADMSG;
	if (header.version != TRAIL_VERSION)
		return -EPROTONOSUPPORT;
	*ret_trail = header.trail;
	*ret_first_tick = header.first_tick;
	return 0;
}

bool
trail_next_batch(const void *bytes, size_t length, size_t *at, struct trail_batch *ret_batch)
{
	const uint8_t *from = (const uint8_t *)bytes + *at;
	struct batch_header header;

	if (*at > length || length - *at < sizeof(header))
		return false;
	memcpy(&header, from, sizeof(header));
	from += sizeof(header);
	if (header.magic != BATCH_MAGIC || header.bytes > length - *at - sizeof(header) ||
	    XXH3_64bits_withSeed(from, header.bytes, header.tick) != header.checksum)
		return false;
	*ret_batch = (struct trail_batch){ .tick = header.tick, .records = from,
		                           .length = header.bytes };
	*at += sizeof(header) + header.bytes;
	return true;
}

static bool
take(struct trail_batch *batch, void *to, size_t length)
{
	if (batch->length < length)
		return false;
	memcpy(to, batch->records, length);
	batch->records += length;
	batch->length -= length;
	return true;
}

static bool
take_text(struct trail_batch *batch, const char **ret_text, uint8_t *ret_length)
{
	if (!take(batch, ret_length, sizeof(*ret_length)) || batch->length < *ret_length)
		return false;
	*ret_text = (const char *)batch->records;
	batch->records += *ret_length;
	batch->length -= *ret_length;
	return true;
}

static bool
take_feed(struct trail_batch *batch, struct trail_feed *feed)
{
	uint8_t kind, flags;

	if (!take(batch, &kind, sizeof(kind)) || !take(batch, &feed->files, sizeof(feed->files)) ||
	    !take(batch, &flags, sizeof(flags)) ||
	    !take(batch, &feed->registry, sizeof(feed->registry)) ||
	    !take(batch, &feed->horizon_ms, sizeof(feed->horizon_ms)) ||
	    !take(batch, &feed->horizon_slots, sizeof(feed->horizon_slots)) ||
	    !take_text(batch, &feed->project_id, &feed->project_length) ||
	    !take_text(batch, &feed->task_id, &feed->task_length) || kind > TRAIL_OF_MESSAGES)
		return false;
	feed->kind = (enum trail_kind)kind;
	feed->has_left_out = flags & FEED_LEFT_OUT;
	feed->is_of_task = flags & FEED_OF_TASK;
	return true;
}

static bool
take_member(struct trail_batch *batch, struct trail_member *member)
{
	uint8_t flags;

	if (!take(batch, &member->number, sizeof(member->number)) || !take(batch, &flags, sizeof(flags)))
		return false;
	member->begins = flags & MEMBER_BEGINS;
	member->is_over = flags & MEMBER_IS_OVER;
	for (int i = 0; i < CURSOR_FILES; i++) {
		struct cursor_mark *mark = &member->cursor.files[i].mark;
		uint64_t offset;

		if (!(flags & (unsigned)MEMBER_FILE << i))
			continue;
		if (!take(batch, &offset, sizeof(offset)) ||
		    !take(batch, &mark->fingerprint, sizeof(mark->fingerprint)) ||
		    !take(batch, &mark->begun_ms, sizeof(mark->begun_ms)) ||
		    !take(batch, &member->cursor.files[i].lines, sizeof(uint64_t)) ||
		    !take(batch, &mark->identity, sizeof(mark->identity)) ||
		    offset >> 1 >= CURSOR_OFFSET_LIMIT || mark->begun_ms < 0 ||
		    mark->begun_ms > (int64_t)CURSOR_FINGERPRINT_MASK)
			return false;
		mark->offset = offset >> 1;
		mark->is_finished = offset & 1;
		member->cursor.files[i].has_mark = true;
	}
	return true;
}

bool
trail_next_record(struct trail_batch *batch, struct trail_record *ret_record)
{
	struct trail_record record;
	uint8_t kind;

	memset(&record, 0, sizeof(record));
	if (!take(batch, &kind, sizeof(kind)) || !take(batch, &record.feed, sizeof(record.feed)))
		return false;
	record.kind = (enum trail_record_kind)kind;
	switch (kind) {
	case TRAIL_FEED:
		if (!take_feed(batch, &record.of))
			return false;
		break;
	case TRAIL_MEMBER:
		if (!take_member(batch, &record.member) ||
		    !take_text(batch, &record.member.run_id, &record.member.run_id_length))
			return false;
		break;
	case TRAIL_PLACE:
		if (!take_member(batch, &record.member))
			return false;
		break;
	default:
		return false;
	}
	*ret_record = record;
	return true;
}
