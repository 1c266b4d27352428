/*
 * A connection to an instance's control socket, as runstreamctl uses it (shm/control.h has the
 * protocol): one request, one answer, maybe with descriptors.
 */
#ifndef ADMIN_CLIENT_H
#define ADMIN_CLIENT_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/fd.h"

enum { CLIENT_ERROR_BYTES = 1024 };

struct client;

/* Connects to the instance of a runtime directory. 0 or -errno; returns owned. */
int client_open(const char *runtime_dir, struct client **ret_client);
void client_close(struct client **client);

/* An answer: client_answer_fini() closes the descriptors that were not taken (set to -1). */
struct client_answer {
	struct json_object *body;
	int fds[FD_PASS_MAX]; /* in the protocol's order */
	size_t fd_count;
};

/*
 * Sends a command, with the members of a request besides it (takes; NULL: none), and waits for its
 * answer, at most some seconds. 0 if it says "ok"; -EREMOTEIO
 * if the instance refused: ret_error then has its sentence; other -errno for a broken connection.
 */
int client_request(struct client *client, const char *command, struct json_object *members,
                   struct client_answer *ret_answer, char ret_error[static CLIENT_ERROR_BYTES]);
void client_answer_fini(struct client_answer *answer);

/* Waits, without end, until the instance closes the connection. 0 or -errno. */
int client_wait_end(struct client *client);

/*
 * Opens, requests, and says on stderr what goes wrong, in one: 0, or COMMAND_FAILED after a
 * message. ret_client may be NULL: the connection is closed.
 */
int client_ask(const char *runtime_dir, const char *command, struct json_object *members,
               struct client **ret_client, struct client_answer *ret_answer);

#endif
