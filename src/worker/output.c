#include "worker/output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/must.h"

enum { RECORD_BYTES = 65535 };

void
output_fini(struct output *output)
{
	while (output->block_count > 0)
		block_unref(&output->blocks[--output->block_count]);
}

bool
output_is_empty(const struct output *output)
{
	return output->block_count == 0 && output->finish_left == 0;
}

bool
output_has_room(const struct output *output)
{
	return output->block_count < OUTPUT_BLOCKS && output->queued_bytes < OUTPUT_ENOUGH_BYTES;
}

void
output_add(struct output *output, struct block *block)
{
	must(output->block_count < OUTPUT_BLOCKS && block->length_bytes > 0);
	output->blocks[output->block_count++] = block;
	output->queued_bytes += (uint32_t)block->length_bytes;
}

void
output_finish(struct output *output)
{
	output->finish_left = FASTCGI_FINISH_BYTES;
}

static void
begin_record(struct output *output, size_t left_of_block)
{
	output->record_left = left_of_block < RECORD_BYTES ? (uint16_t)left_of_block : RECORD_BYTES;
	output->header_left = FCGI_HEADER_LEN;
	fastcgi_put_header(output->header, FCGI_STDOUT, output->request_id, output->record_left, 0);
}

enum { PIECES = 4 * OUTPUT_BLOCKS };

/* What to send, as it stands: pieces of headers and blocks. */
struct plan {
	struct iovec pieces[PIECES];
	uint8_t headers[PIECES][FCGI_HEADER_LEN];
	uint8_t finish[FASTCGI_FINISH_BYTES];
	int count;
	size_t bytes;
};

static void
add_piece(struct plan *plan, const void *bytes, size_t length)
{
	union { const void *from; void *to; } cast = { .from = bytes };

	if (length > 0)
		plan->pieces[plan->count++] = (struct iovec){ .iov_base = cast.to, .iov_len = length };
	plan->bytes += length;
}

static void
make_plan(const struct output *output, struct plan *plan)
{
	size_t record_left = output->record_left, header_left = output->header_left;

	plan->count = 0;
	plan->bytes = 0;
	add_piece(plan, output->header + (FCGI_HEADER_LEN - header_left), header_left);
	for (int i = 0; i < output->block_count; i++) {
		const struct block *block = output->blocks[i];
		size_t at = i == 0 ? output->sent_bytes : 0;

		while (at < block->length_bytes && plan->count + 3 < PIECES) {
			if (record_left == 0) {
				size_t left = block->length_bytes - at;

				record_left = left < RECORD_BYTES ? left : RECORD_BYTES;
				fastcgi_put_header(plan->headers[plan->count], FCGI_STDOUT, output->request_id,
				                   (uint16_t)record_left, 0);
				add_piece(plan, plan->headers[plan->count], FCGI_HEADER_LEN);
			}
			add_piece(plan, block->text + at, record_left);
			at += record_left;
			record_left = 0;
		}
		if (at < block->length_bytes)
			return;
	}
	fastcgi_put_finish(plan->finish, output->request_id);
	add_piece(plan, plan->finish + (FASTCGI_FINISH_BYTES - output->finish_left),
	          output->finish_left);
}

static size_t
take(size_t *sent, size_t most)
{
	size_t n = *sent < most ? *sent : most;

	*sent -= n;
	return n;
}

/* Books sent bytes: the same walk as make_plan(). */
static void
book(struct output *output, size_t sent, uint64_t *ret_events)
{
	while (sent > 0 && output->block_count > 0) {
		struct block *block = output->blocks[0];
		size_t n;

		if (output->record_left == 0 && output->header_left == 0)
			begin_record(output, block->length_bytes - output->sent_bytes);
		output->header_left = (uint8_t)(output->header_left - take(&sent, output->header_left));
		n = take(&sent, output->record_left);
		output->record_left = (uint16_t)(output->record_left - n);
		output->sent_bytes += (uint32_t)n;
		output->queued_bytes -= (uint32_t)n;
		if (output->sent_bytes < block->length_bytes)
			continue;
		*ret_events += block->events;
		block_unref(&output->blocks[0]);
		output->block_count--;
		memmove(output->blocks, output->blocks + 1, output->block_count * sizeof(output->blocks[0]));
		output->sent_bytes = 0;
	}
	output->finish_left = (uint8_t)(output->finish_left - take(&sent, output->finish_left));
	must(sent == 0);
}

int64_t
output_send(struct output *output, int fd, uint64_t *ret_events)
{
	struct plan plan;
	struct msghdr message = { .msg_iov = plan.pieces };
	ssize_t n;

	make_plan(output, &plan);
	output->is_full = false;
	if (plan.count == 0)
		return 0;
	message.msg_iovlen = (size_t)plan.count;
	do
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		/* ENOBUFS (a kernel without memory) is no full buffer: nothing would tell when to go
		 * on. The client comes back by its id. */
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -errno;
		output->is_full = true;
		return 0;
	}
	output->is_full = (size_t)n < plan.bytes;
	book(output, (size_t)n, ret_events);
	return n;
}
