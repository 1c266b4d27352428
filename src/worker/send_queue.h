/*
 * What is on its way to one peer: blocks of text, wrapped into FastCGI STDOUT records (FastCGI 1.0,
 * sections 3.3 and 5.3) as they are handed to the kernel, so that one block serves clients
 * with different request ids and places. Holds a few references, no copy.
 */
#ifndef WORKER_SEND_QUEUE_H
#define WORKER_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/fastcgi.h"
#include "stream/block.h"

enum {
	SEND_QUEUE_BLOCKS = 8,
	SEND_QUEUE_ENOUGH_BYTES = 64 * 1024, /* no more is asked for while so much is queued */
	/* The kernel counts what a peer took in pieces as they were sent: of one that takes little,
	 * large ones would say for minutes that it takes nothing. */
	SEND_QUEUE_PIECE_BYTES = 16 * 1024,
};

/* Zero-initialised, but for request_id. */
struct send_queue {
	struct block *blocks[SEND_QUEUE_BLOCKS]; /* owned references, in order */
	uint8_t block_count;
	uint8_t header_left;         /* of the record begun: bytes of its header not sent */
	uint8_t finish_left;         /* of the end of the answer */
	bool is_full;                /* the kernel did not take all at the last try */
	uint16_t request_id;
	uint16_t record_left;        /* of the record begun: bytes of its content not sent */
	uint32_t sent_bytes;         /* of the first block */
	uint32_t queued_bytes;       /* of all blocks, not sent */
	bool is_for_slow;            /* hand over in small pieces, see SEND_QUEUE_PIECE_BYTES */
	uint8_t header[FCGI_HEADER_LEN];
};

void send_queue_fini(struct send_queue *q);

bool send_queue_is_empty(const struct send_queue *q);
/* Whether another block should be added before sending. */
bool send_queue_has_room(const struct send_queue *q);

/* Takes the block; send_queue_has_room(). */
void send_queue_add(struct send_queue *q, struct block *block);

/* What follows the blocks is the end of the answer: empty STDOUT, END_REQUEST. */
void send_queue_finish(struct send_queue *q);

/* What was sent whole. */
struct send_queue_sent {
	uint64_t events;     /* log events */
	int64_t appended_us; /* of a block that was to be measured (block.h) and is sent first; or 0 */
};

/*
 * Sends what the kernel takes, without waiting, and sets is_full. Returns the bytes sent, or
 * -errno: the peer is gone. *sent is added to.
 */
int64_t send_queue_send(struct send_queue *q, int fd, struct send_queue_sent *sent);

#endif
