#include "supervisor/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "base/nearest.h"
#include "shm/control.h"

enum { JSON_DEPTH_MAX = 4, COMMANDS_MAX = 16 };

struct client {
	struct control *control;
	struct loop_fd watch;
	int fd; /* -1: free */
	int64_t heard_ms;
};

struct control {
	struct loop *loop;
	int listen_fd;
	struct loop_fd listen_watch;
	const struct control_command *commands;
	size_t command_count;
	void *arg;
	struct client clients[CONTROL_CLIENTS_MAX];
	char message[CONTROL_MESSAGE_BYTES];
};

static void
close_client(struct client *client)
{
	if (client->fd < 0)
		return;
	loop_fd_remove(client->control->loop, &client->watch);
	fd_close(&client->fd);
}

/* --- requests --------------------------------------------------------------------------------- */

/* The command's name (borrowed from *ret_request, which the caller puts) or NULL. */
static const char *
parse(const char *text, size_t length, struct json_object **ret_request)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *request, *command = NULL;
	bool is_whole;

	*ret_request = NULL;
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	request = json_tokener_parse_ex(tokener, text, (int)length);
	is_whole = json_tokener_get_error(tokener) == json_tokener_success &&
	           json_tokener_get_parse_end(tokener) == length;
	json_tokener_free(tokener);
	*ret_request = request;
	if (!is_whole || !json_object_is_type(request, json_type_object) ||
	    !json_object_object_get_ex(request, CONTROL_COMMAND, &command) ||
	    !json_object_is_type(command, json_type_string) ||
	    strlen(json_object_get_string(command)) != (size_t)json_object_get_string_len(command))
		return NULL;
	return json_object_get_string(command);
}

static int
refuse(const struct control *control, const char *name, struct control_answer *answer)
{
	const char *names[COMMANDS_MAX], *nearest;

	if (!name) {
		buf_printf(&answer->sentence, "not a request: {\"%s\":\"…\"} is", CONTROL_COMMAND);
		return -EBADMSG;
	}
	for (size_t i = 0; i < control->command_count; i++)
		names[i] = control->commands[i].name;
	nearest = nearest_word(name, names, control->command_count);
	buf_printf(&answer->sentence, "unknown command \"%.64s\"", name);
	if (nearest)
		buf_printf(&answer->sentence, "; did you mean \"%s\"?", nearest);
	return -ENOENT;
}

static int
execute(struct control *control, const char *name, struct control_answer *answer)
{
	for (size_t i = 0; name && i < control->command_count; i++)
		if (strcmp(control->commands[i].name, name) == 0)
			return control->commands[i].fn(control->arg, answer);
	return refuse(control, name, answer);
}

static int
send_object(int fd, struct json_object *object, const int *fds, size_t fd_count)
{
	size_t length;
	const char *text =
		json_object_to_json_string_length(object, JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	if (!text)
		return -ENOMEM;
	return length > CONTROL_MESSAGE_BYTES ? -EMSGSIZE : fd_send(fd, text, length, fds, fd_count);
}

/* Answers a request of length bytes; a negative one stands for a message that was too long. */
static int
answer_request(struct control *control, int fd, ssize_t length)
{
	struct control_answer answer = { .object = json_object_new_object() };
	struct json_object *request = NULL;
	const char *name = length > 0 ? parse(control->message, (size_t)length, &request) : NULL;
	int error;

	if (!answer.object) {
		json_object_put(request);
		return -ENOMEM;
	}
	json_object_object_add(answer.object, CONTROL_OK, json_object_new_boolean(true));
	answer.request = request;
	error = execute(control, name, &answer);
	if (error) {
		const char *sentence = answer.sentence.length_bytes > 0
		                               ? buf_string(&answer.sentence)
		                               : strerror(-error);

		json_object_put(answer.object);
		answer.object = json_object_new_object();
		answer.fd_count = 0;
		json_object_object_add(answer.object, CONTROL_OK, json_object_new_boolean(false));
		json_object_object_add(answer.object, CONTROL_ERROR, json_object_new_string(sentence));
	}
	error = send_object(fd, answer.object, answer.fds, answer.fd_count);
	json_object_put(answer.object);
	json_object_put(request);
	buf_fini(&answer.sentence);
	return error;
}

static void
hear(void *arg, uint32_t events)
{
	struct client *client = arg;
	struct control *control = client->control;
	/* Descriptors that come with it are closed: nobody asked for any. */
	ssize_t n = fd_receive(client->fd, control->message, sizeof(control->message), NULL, 0, NULL);

	(void)events;
	if (n == -EAGAIN)
		return;
	client->heard_ms = loop_now_ms(control->loop);
	/* Who does not take an answer has no claim to the next. */
	if ((n <= 0 && n != -EMSGSIZE) || answer_request(control, client->fd, n) < 0)
		close_client(client);
}

/* --- connections ------------------------------------------------------------------------------ */

static struct client *
find_place(struct control *control)
{
	struct client *longest = &control->clients[0];

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0)
			return client;
		if (client->heard_ms < longest->heard_ms)
			longest = client;
	}
	close_client(longest);
	return longest;
}

static void
admit(void *arg, uint32_t events)
{
	struct control *control = arg;
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client;

	(void)events;
	if (fd < 0)
		return; /* gone again; or no descriptors left, and level-triggered */
	client = find_place(control);
	client->fd = fd;
	client->heard_ms = loop_now_ms(control->loop);
	if (loop_fd_add(control->loop, &client->watch, fd, EPOLLIN, hear, client))
		fd_close(&client->fd);
}

int
control_new(struct loop *loop, int listen_fd, const struct control_command *commands,
            size_t command_count, void *arg, struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int error;

	if (!control)
		return -ENOMEM;
	must(command_count <= COMMANDS_MAX);
	*control = (struct control){ .loop = loop, .listen_fd = listen_fd, .commands = commands,
		                     .command_count = command_count, .arg = arg };
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		control->clients[i].control = control;
		control->clients[i].fd = -1;
	}
	error = loop_fd_add(loop, &control->listen_watch, listen_fd, EPOLLIN, admit, control);
	if (error) {
		free(control);
		return error;
	}
	*ret_control = control;
	return 0;
}

void
control_free(struct control **control)
{
	struct control *c = *control;

	if (!c)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close_client(&c->clients[i]);
	loop_fd_remove(c->loop, &c->listen_watch);
	fd_close(&c->listen_fd);
	free(c);
	*control = NULL;
}
