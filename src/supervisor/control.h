/*
 * The server of the control socket (shm/control.h): takes requests, bounded and checked, finds
 * the command, sends its answer. What the commands do is theirs.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <json.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/loop.h"

struct control;

struct control_answer {
	struct json_object *request; /* borrowed: an object, whose members are input */
	struct json_object *object; /* add to it what the command answers */
	int fds[FD_PASS_MAX];       /* borrowed descriptors that go with it */
	size_t fd_count;
	struct buf sentence;        /* if it fails: why */
};

/* 0, or -errno: then the answer is the sentence alone. */
typedef int control_command_fn(void *arg, struct control_answer *answer);

struct control_command {
	const char *name;
	control_command_fn *fn;
};

enum { CONTROL_CLIENTS_MAX = 16 }; /* one more, and the one silent for longest is closed */

/*
 * Serves listen_fd (takes it), a listening, non-blocking SOCK_SEQPACKET. Borrows commands and
 * arg. 0 or -errno, in which case listen_fd is still the caller's; returns owned.
 */
int control_new(struct loop *loop, int listen_fd, const struct control_command *commands,
                size_t command_count, void *arg, struct control **ret_control);

/* Closes all connections: for who waits for the end of "stop", this is it. */
void control_free(struct control **control);

#endif
