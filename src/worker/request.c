#include "worker/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FIRST_READ_BYTES = 4096 };

struct request *
request_new(void)
{
	return calloc(1, sizeof(struct request));
}

void
request_free(struct request **request)
{
	if (!*request)
		return;
	buf_fini(&(*request)->head);
	free(*request);
	*request = NULL;
}

const char *
request_variable(const struct request *request, const char *name)
{
	const char *value = fastcgi_param(&request->params, name, NULL);

	return value ? value : "";
}

bool
request_accepts_events(const struct request *request)
{
	return strcasestr(request_variable(request, "HTTP_ACCEPT"), "text/event-stream");
}

static int
take_apart(struct request *request, const char *prefix)
{
	const char *uri;
	int error = fastcgi_params(&request->fastcgi, (uint8_t *)request->head.data, &request->params);

	if (error)
		return error;
	uri = request_variable(request, "REQUEST_URI");
	request->target_error = target_parse(uri, strlen(uri), prefix, &request->target);
	return 0;
}

int
request_read(struct request *request, int fd, const char *prefix)
{
	for (;;) {
		size_t room = request->head.length_bytes < FIRST_READ_BYTES
		                      ? FIRST_READ_BYTES
		                      : FASTCGI_HEAD_BYTES + FCGI_HEADER_LEN - request->head.length_bytes;
		char *to = buf_reserve(&request->head, room);
		ssize_t n;
		int error;

		if (!to)
			return -ENOMEM;
		n = recv(fd, to, room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -ECONNRESET;
		if (n == 0)
			return -ECONNRESET;
		request->head.length_bytes += (size_t)n;
		error = fastcgi_parse(&request->fastcgi, (const uint8_t *)request->head.data,
		                      request->head.length_bytes);
		if (error == 0)
			return take_apart(request, prefix);
		if (error != -EAGAIN)
			return error;
	}
}
