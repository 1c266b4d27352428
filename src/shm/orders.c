#include "shm/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"

static const char kick_line[] = "kick\n", broadcast_line[] = "broadcast\n",
                  listen_line[] = "listen\n";

void
orders_put_settings(struct buf *to, const struct settings *settings)
{
	settings_message_append(to, settings);
}

static void
put_number(struct buf *to, const char *line, uint64_t number)
{
	buf_puts(to, line);
	buf_put_u64(to, number);
	buf_putc(to, '\n');
}

void
orders_put_kick(struct buf *to, uint64_t client)
{
	put_number(to, kick_line, client);
}

void
orders_put_listen(struct buf *to, uint64_t listen_set)
{
	put_number(to, listen_line, listen_set);
}

void
orders_put_broadcast(struct buf *to, const struct broadcast *b)
{
	buf_puts(to, broadcast_line);
	buf_append(to, b->type, b->type_length);
	buf_putc(to, '\n');
	if (b->data)
		buf_append(to, b->data, b->data_length);
}

/* Whether the message begins with the line; then what follows is in *text and *length. */
static bool
take_line(const char **text, size_t *length, const char *line)
{
	size_t taken = strlen(line);

	if (*length < taken || memcmp(*text, line, taken) != 0)
		return false;
	*text += taken;
	*length -= taken;
	return true;
}

static int
parse_number(const char *text, size_t length, uint64_t *ret_number)
{
	if (length == 0 || text[length - 1] != '\n' ||
	    num_parse_u64(text, length - 1, ret_number) < 0)
		return -EBADMSG;
	return 0;
}

static int
parse_broadcast(const char *text, size_t length, struct order *order)
{
	const char *newline = memchr(text, '\n', length);

	order->kind = ORDER_BROADCAST;
	if (!newline)
		return -EBADMSG;
	order->broadcast = (struct broadcast){ .type = text,
		                                     .type_length = (size_t)(newline - text) };
	/* No JSON text is empty. */
	if (newline + 1 < text + length) {
		order->broadcast.data = newline + 1;
		order->broadcast.data_length = (size_t)(text + length - newline - 1);
	}
	return broadcast_problem(&order->broadcast) ? -EBADMSG : 0;
}

static int
parse(const char *text, size_t length, struct order *order)
{
	if (take_line(&text, &length, kick_line)) {
		order->kind = ORDER_KICK;
		return parse_number(text, length, &order->client);
	}
	if (take_line(&text, &length, listen_line)) {
		order->kind = ORDER_LISTEN;
		return parse_number(text, length, &order->listen_set);
	}
	if (take_line(&text, &length, broadcast_line))
		return parse_broadcast(text, length, order);
	order->kind = ORDER_SETTINGS;
	return settings_message_parse(text, length, &order->settings);
}

int
orders_receive(int fd, struct order *ret_order)
{
	struct order order = { .message = malloc(ORDER_BYTES) };
	ssize_t n;
	int error;

	if (!order.message)
		return -ENOMEM;
	n = fd_receive(fd, order.message, ORDER_BYTES, NULL, 0, NULL);
	error = n <= 0 ? (int)n : parse(order.message, (size_t)n, &order);
	if (n <= 0 || error) {
		free(order.message);
		return error == -EMSGSIZE ? -EBADMSG : error;
	}
	*ret_order = order;
	return 1;
}

void
order_fini(struct order *order)
{
	if (order->kind == ORDER_SETTINGS)
		settings_fini(&order->settings);
	free(order->message);
	*order = (struct order){ 0 };
}
