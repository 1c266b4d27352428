/*
 * What the supervisor sends its children, over the SOCK_SEQPACKET that each inherits: one
 * message an order, which begins with a line that says of what kind it is.
 *
 *     settings\n…                 new settings, as conf/settings_message.h has them
 *     kick\n<number>\n            ends the stream of this client of the worker
 *     broadcast\n<type>\n[<data>] an broadcast to all who watch recorded events
 *     listen\n<set>\n            accepts on these sockets from now on (bit i: socket i)
 */
#ifndef SHM_ORDERS_H
#define SHM_ORDERS_H

#include <stdint.h>

#include "base/buf.h"
#include "conf/settings.h"
#include "conf/settings_message.h"
#include "model/broadcast.h"

enum { ORDER_BYTES = SETTINGS_MESSAGE_BYTES }; /* the longest message */

enum order_kind { ORDER_SETTINGS, ORDER_KICK, ORDER_BROADCAST, ORDER_LISTEN };

struct order {
	enum order_kind kind;
	struct settings settings; /* ORDER_SETTINGS: owned; whoever takes them sets them to zeros */
	uint64_t client;          /* ORDER_KICK: its number, see shm/clients.h */
	uint64_t listen_set;      /* ORDER_LISTEN */
	struct broadcast broadcast; /* ORDER_BROADCAST: one without a problem */
	char *message;            /* owned: what the broadcast is part of */
};

/* Append a message. Errors are kept in the buffer. */
void orders_put_settings(struct buf *to, const struct settings *settings);
void orders_put_kick(struct buf *to, uint64_t client);
void orders_put_broadcast(struct buf *to, const struct broadcast *b);
void orders_put_listen(struct buf *to, uint64_t listen_set);

/*
 * Receives one from fd. Returns 1 with an order (the caller frees it with order_fini()), 0 when
 * the other side is gone, -EAGAIN when there is none yet on a non-blocking descriptor, -EBADMSG
 * for what is no order, other -errno.
 */
int orders_receive(int fd, struct order *ret_order);
void order_fini(struct order *order);

#endif
