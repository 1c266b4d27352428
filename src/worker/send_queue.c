#include "worker/send_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/must.h"

enum { RECORD_BYTES = 65535 };

void
send_queue_fini(struct send_queue *q)
{
	while (q->block_count > 0)
		block_unref(&q->blocks[--q->block_count]);
}

bool
send_queue_is_empty(const struct send_queue *q)
{
	return q->block_count == 0 && q->finish_left == 0;
}

bool
send_queue_has_room(const struct send_queue *q)
{
	return q->block_count < SEND_QUEUE_BLOCKS && q->queued_bytes < SEND_QUEUE_ENOUGH_BYTES;
}

void
send_queue_add(struct send_queue *q, struct block *block)
{
	must(q->block_count < SEND_QUEUE_BLOCKS && block->length_bytes > 0);
	q->blocks[q->block_count++] = block;
	q->queued_bytes += (uint32_t)block->length_bytes;
}

void
send_queue_finish(struct send_queue *q)
{
	q->finish_left = FASTCGI_FINISH_BYTES;
}

static void
begin_record(struct send_queue *q, size_t left_of_block)
{
	q->record_left = left_of_block < RECORD_BYTES ? (uint16_t)left_of_block : RECORD_BYTES;
	q->header_left = FCGI_HEADER_LEN;
	fastcgi_put_header(q->header, FCGI_STDOUT, q->request_id, q->record_left, 0);
}

enum { PIECES = 4 * SEND_QUEUE_BLOCKS };

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
make_plan(const struct send_queue *q, struct plan *plan)
{
	size_t record_left = q->record_left, header_left = q->header_left;
	size_t most = q->is_for_slow ? SEND_QUEUE_PIECE_BYTES : SIZE_MAX;

	plan->count = 0;
	plan->bytes = 0;
	add_piece(plan, q->header + (FCGI_HEADER_LEN - header_left), header_left);
	for (int i = 0; i < q->block_count; i++) {
		const struct block *block = q->blocks[i];
		size_t at = i == 0 ? q->sent_bytes : 0;

		while (at < block->length_bytes && plan->count + 3 < PIECES && plan->bytes < most) {
			size_t piece;

			if (record_left == 0) {
				size_t left = block->length_bytes - at;

				record_left = left < RECORD_BYTES ? left : RECORD_BYTES;
				fastcgi_put_header(plan->headers[plan->count], FCGI_STDOUT, q->request_id,
				                   (uint16_t)record_left, 0);
				add_piece(plan, plan->headers[plan->count], FCGI_HEADER_LEN);
			}
			piece = record_left < most ? record_left : most;
			add_piece(plan, block->text + at, piece);
			at += piece;
			record_left -= piece;
		}
		if (at < block->length_bytes)
			return;
	}
	fastcgi_put_finish(plan->finish, q->request_id);
	add_piece(plan, plan->finish + (FASTCGI_FINISH_BYTES - q->finish_left),
	          q->finish_left);
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
book(struct send_queue *q, size_t sent, struct send_queue_sent *whole)
{
	while (sent > 0 && q->block_count > 0) {
		struct block *block = q->blocks[0];
		size_t n;

		if (q->record_left == 0 && q->header_left == 0)
			begin_record(q, block->length_bytes - q->sent_bytes);
		q->header_left = (uint8_t)(q->header_left - take(&sent, q->header_left));
		n = take(&sent, q->record_left);
		q->record_left = (uint16_t)(q->record_left - n);
		q->sent_bytes += (uint32_t)n;
		q->queued_bytes -= (uint32_t)n;
		if (q->sent_bytes < block->length_bytes)
			continue;
		whole->events += block->events;
		if (block->appended_us != 0) {
			whole->appended_us = block->appended_us;
			block->appended_us = 0;
		}
		block_unref(&q->blocks[0]);
		q->block_count--;
		memmove(q->blocks, q->blocks + 1, q->block_count * sizeof(q->blocks[0]));
		q->sent_bytes = 0;
	}
	q->finish_left = (uint8_t)(q->finish_left - take(&sent, q->finish_left));
	must(sent == 0);
}

int64_t
send_queue_send(struct send_queue *q, int fd, struct send_queue_sent *sent)
{
	struct plan plan;
	struct msghdr message = { .msg_iov = plan.pieces };
	ssize_t n;

	make_plan(q, &plan);
	q->is_full = false;
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
		q->is_full = true;
		return 0;
	}
	q->is_full = (size_t)n < plan.bytes;
	book(q, (size_t)n, sent);
	return n;
}
