/* Event streams: however the bytes are cut, the events are the same. */
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "fuzz.h"
#include "model/sse_reader.h"

enum { MOST_BYTES = 4096 };

static int
note(void *arg, const struct sse_event *event)
{
	struct buf *to = arg;

	must(event->data[event->data_length] == '\0' && strlen(event->id) == event->id_length);
	must(!event->is_named || event->name_length > 0);
	buf_append(to, event->name, event->name_length + 1);
	buf_append(to, event->data, event->data_length + 1);
	buf_append(to, event->id, event->id_length + 1);
	return 0;
}

static int
read_in_pieces(const uint8_t *data, size_t size, size_t piece, struct buf *seen)
{
	struct sse_reader reader;
	int error = 0;

	sse_reader_init(&reader, MOST_BYTES, note, seen);
	for (size_t at = 0; at < size && !error; at += piece)
		error = sse_reader_read(&reader, (const char *)data + at,
		                        size - at < piece ? size - at : piece);
	buf_puts(seen, sse_reader_last_id(&reader));
	buf_put_u64(seen, (uint64_t)reader.retry_ms);
	must(reader.line.length_bytes + reader.data.length_bytes <= MOST_BYTES + 1);
	sse_reader_fini(&reader);
	return error;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;
	int error = read_in_pieces(data, size, size + 1, &whole);

	for (size_t piece = 1; piece <= 7; piece += 3) {
		buf_clear(&pieces);
		/* One that is too long is refused, however it comes. */
		must((read_in_pieces(data, size, piece, &pieces) != 0) == (error != 0));
		must(error || (pieces.length_bytes == whole.length_bytes &&
		               memcmp(pieces.data, whole.data, whole.length_bytes) == 0));
	}
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
