#include "admin/client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/command.h"
#include "shm/control.h"

/* An instance answers from memory; one that does not within this time hangs. */
enum { ANSWER_TIMEOUT_S = 10 };

struct client {
	int socket;
	char buffer[CONTROL_MESSAGE_BYTES];
};

/*
 * The socket by way of its directory's descriptor, as a runtime directory's path may be longer
 * than sun_path (108 bytes).
 */
static int
connect_in(int socket, const char *runtime_dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int dir = open(runtime_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (dir < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET_NAME,
	         dir);
	if (connect(socket, (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	fd_close(&dir);
	return r;
}

int
client_open(const char *runtime_dir, struct client **ret_client)
{
	const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct client *client = malloc(sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (client->socket < 0)
		r = -errno;
	else
		r = connect_in(client->socket, runtime_dir);
	if (r == 0 && (setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	               setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0))
		r = -errno;
	if (r < 0) {
		client_close(&client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void
client_close(struct client **client)
{
	if (!*client)
		return;
	fd_close(&(*client)->socket);
	free(*client);
	*client = NULL;
}

/* Reads {"ok":true, …} or {"ok":false,"error":"…"}. */
static int
judge(const char *text, size_t length, struct json_object **ret_body,
      char ret_error[static CLIENT_ERROR_BYTES])
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *body, *ok, *error;
	int r = -EPROTO;

	if (!tokener)
		return -ENOMEM;
	body = json_tokener_parse_ex(tokener, text, (int)length);
	json_tokener_free(tokener);
	if (json_object_object_get_ex(body, CONTROL_OK, &ok) && json_object_is_type(ok, json_type_boolean)) {
		if (json_object_get_boolean(ok)) {
			*ret_body = body;
			return 0;
		}
		r = -EREMOTEIO;
		snprintf(ret_error, CLIENT_ERROR_BYTES, "%s",
		         json_object_object_get_ex(body, CONTROL_ERROR, &error) ? json_object_get_string(error)
		                                                                : "no reason given");
	}
	json_object_put(body);
	return r;
}

int
client_request(struct client *client, const char *command, struct json_object *members,
               struct client_answer *ret_answer, char ret_error[static CLIENT_ERROR_BYTES])
{
	struct client_answer answer = { 0 };
	struct json_object *request = members ? members : json_object_new_object();
	const char *text;
	ssize_t n;
	int r;

	if (!request)
		return -ENOMEM;
	json_object_object_add(request, CONTROL_COMMAND, json_object_new_string(command));
	text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN |
	                                               JSON_C_TO_STRING_NOSLASHESCAPE);
	r = text ? fd_send(client->socket, text, strlen(text), NULL, 0) : -ENOMEM;
	json_object_put(request);
	if (r < 0)
		return r;

	n = fd_receive(client->socket, client->buffer, sizeof(client->buffer), answer.fds, FD_PASS_MAX,
	               &answer.fd_count);
	if (n < 0)
		return n == -EAGAIN ? -ETIMEDOUT : (int)n;
	r = n == 0 ? -ECONNRESET : judge(client->buffer, (size_t)n, &answer.body, ret_error);
	if (r < 0) {
		client_answer_fini(&answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}

void
client_answer_fini(struct client_answer *answer)
{
	for (size_t i = 0; i < answer->fd_count; i++)
		fd_close(&answer->fds[i]);
	answer->fd_count = 0;
	json_object_put(answer->body);
	answer->body = NULL;
}

int
client_wait_end(struct client *client)
{
	const struct timeval endless = { 0 };
	ssize_t n;

	if (setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &endless, sizeof(endless)) < 0)
		return -errno;
	do
		n = recv(client->socket, client->buffer, sizeof(client->buffer), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	/* A supervisor that was killed meanwhile resets the connection: it is down all the same. */
	return n < 0 && errno != ECONNRESET ? -errno : 0;
}

/* Whom to be, or what group to be of. */
static int
explain_permission(const char *runtime_dir)
{
	char path[PATH_MAX];
	const struct group *group;
	const struct passwd *user;
	struct stat socket = { 0 };

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, runtime_dir);
	/* A directory that lets nobody in tells of itself at least. */
	if (stat(path, &socket) < 0 && stat(runtime_dir, &socket) < 0)
		return command_failed("permission denied at %s", runtime_dir);
	group = socket.st_mode & S_IWGRP ? getgrgid(socket.st_gid) : NULL;
	user = getpwuid(socket.st_uid);
	if (group)
		return command_failed("permission denied at %s: add yourself to the group %s, or be %s",
		                      runtime_dir, group->gr_name, user ? user->pw_name : "its owner");
	return command_failed("permission denied at %s: it is for its owner, %s, and root alone",
	                      runtime_dir, user ? user->pw_name : "who has no name");
}

/* Says on stderr why an instance could not be reached or asked. */
static int
explain(const char *runtime_dir, int error, const char *sentence)
{
	switch (-error) {
	case ENOENT:
	case ENOTDIR:
		return command_failed("no instance at %s: is runstreamd running? (--runtime-dir names another)",
		                      runtime_dir);
	case ECONNREFUSED:
		return command_failed("no instance at %s: its runstreamd has ended", runtime_dir);
	case EACCES:
	case EPERM:
		return explain_permission(runtime_dir);
	case EREMOTEIO:
		return command_failed("%s", sentence);
	case ETIMEDOUT:
		return command_failed("the instance at %s does not answer", runtime_dir);
	case ECONNRESET:
	case EPIPE:
		return command_failed("the instance at %s ended before it answered", runtime_dir);
	case EPROTO:
	case EPROTOTYPE:
		return command_failed("what answers at %s is not a runstreamd of this version", runtime_dir);
	default:
		return command_failed("cannot ask the instance at %s: %s", runtime_dir, strerror(-error));
	}
}

int
client_ask(const char *runtime_dir, const char *command, struct json_object *members,
           struct client **ret_client, struct client_answer *ret_answer)
{
	char sentence[CLIENT_ERROR_BYTES] = "";
	struct client *client = NULL;
	int r = client_open(runtime_dir, &client);

	if (r == 0)
		r = client_request(client, command, members, ret_answer, sentence);
	else
		json_object_put(members);
	if (r < 0 || !ret_client)
		client_close(&client);
	if (r < 0)
		return explain(runtime_dir, r, sentence);
	if (ret_client)
		*ret_client = client;
	return 0;
}
