#include "supervisor/client_orders.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "shm/clients.h"
#include "shm/control.h"
#include "shm/orders.h"

/* A member that is a string without NULs (borrowed), or NULL. */
static struct json_object *
text_member(const struct control_answer *answer, const char *name)
{
	struct json_object *member = NULL;

	if (!json_object_object_get_ex(answer->request, name, &member) ||
	    !json_object_is_type(member, json_type_string) ||
	    strlen(json_object_get_string(member)) != (size_t)json_object_get_string_len(member))
		return NULL;
	return member;
}

/* Whether a worker that lives has the client. */
static bool
is_there(const struct pool *pool, uint32_t worker, uint64_t number)
{
	struct clients *clients;
	bool found;

	if (worker >= pool->count || pool->children[worker].pid == 0 ||
	    clients_open(pool->parts.segments->clients[worker - 1].readable, false, &clients) < 0)
		return false;
	found = clients_has(clients, number);
	clients_close(&clients);
	return found;
}

int
client_orders_kick(struct pool *pool, struct control_answer *answer)
{
	struct json_object *client = text_member(answer, CONTROL_CLIENT);
	struct buf message = BUF_INIT;
	uint64_t number;
	uint32_t worker;
	int error;

	if (!client) {
		buf_puts(&answer->sentence, "kick needs a \"" CONTROL_CLIENT "\"");
		return -EINVAL;
	}
	if (clients_name_parse(json_object_get_string(client), &worker, &number) < 0 ||
	    !is_there(pool, worker, number)) {
		buf_printf(&answer->sentence, "there is no such client: \"%.64s\"",
		           json_object_get_string(client));
		return -ENOENT;
	}
	orders_put_kick(&message, number);
	error = pool_order(pool, worker, &message);
	buf_fini(&message);
	if (error)
		buf_printf(&answer->sentence, "worker %" PRIu32 " does not listen: %s", worker,
		           strerror(-error));
	else
		log_info("kick", "client=%" PRIu32 "-%" PRIu64, worker, number);
	return error;
}

/* All that may be sent, to all that listen; who does not, is told of. */
static int
broadcast_to_workers(struct pool *pool, const struct broadcast *broadcast,
                     struct control_answer *answer)
{
	struct buf message = BUF_INIT;
	int reached = 0, silent = 0;

	orders_put_broadcast(&message, broadcast);
	for (uint32_t worker = 1; worker < pool->count; worker++) {
		if (pool->children[worker].pid == 0)
			continue;
		if (pool_order(pool, worker, &message) == 0)
			reached++;
		else
			silent++;
	}
	buf_fini(&message);
	if (reached == 0) {
		buf_puts(&answer->sentence, "no worker listens");
		return -EAGAIN;
	}
	json_object_object_add(answer->object, CONTROL_WORKERS, json_object_new_int(reached));
	json_object_object_add(answer->object, CONTROL_SILENT, json_object_new_int(silent));
	log_info("broadcast", "workers=%d silent=%d", reached, silent);
	return 0;
}

int
client_orders_broadcast(struct pool *pool, struct control_answer *answer)
{
	struct json_object *type = text_member(answer, CONTROL_TYPE);
	struct json_object *data = text_member(answer, CONTROL_DATA);
	struct broadcast broadcast = { 0 };
	const char *problem;

	if (!type || (!data && json_object_object_get_ex(answer->request, CONTROL_DATA, NULL))) {
		buf_puts(&answer->sentence, "broadcast needs a \"" CONTROL_TYPE "\" and maybe a \""
		                            CONTROL_DATA "\", both strings");
		return -EINVAL;
	}
	broadcast.type = json_object_get_string(type);
	broadcast.type_length = (size_t)json_object_get_string_len(type);
	if (data) {
		broadcast.data = json_object_get_string(data);
		broadcast.data_length = (size_t)json_object_get_string_len(data);
	}
	problem = broadcast_problem(&broadcast);
	if (problem) {
		buf_puts(&answer->sentence, problem);
		return -EINVAL;
	}
	return broadcast_to_workers(pool, &broadcast, answer);
}
