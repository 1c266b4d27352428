/*
 * What an administrator has done to clients: the commands "kick" and "broadcast" of the control
 * socket (shm/control.h), passed on to the workers as orders (shm/orders.h).
 */
#ifndef SUPERVISOR_CLIENT_ORDERS_H
#define SUPERVISOR_CLIENT_ORDERS_H

#include "supervisor/control.h"
#include "supervisor/pool.h"

/* As a control_command_fn. */
int client_orders_kick(struct pool *pool, struct control_answer *answer);
int client_orders_broadcast(struct pool *pool, struct control_answer *answer);

#endif
