#include "worker/connection_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/body.h"
#include "worker/worker_state.h"

enum {
	/* Of a body, read at once and in one turn. */
	BODY_BYTES = 16 * 1024,
	BODY_READS = 16,
};

static void
head_failed(struct connection *c, int error)
{
	if (error != -ECONNRESET && error != -ECANCELED)
		peers_counters(c->worker->peers)->requests_bad++;
	if (error == -EOPNOTSUPP) {
		uint8_t end[FASTCGI_END_BYTES];

		/* FastCGI 1.0, section 5.5. A peer that cannot take 16 bytes gets none. */
		fastcgi_put_end(end, c->request->fastcgi.request_id, 0, FCGI_UNKNOWN_ROLE);
		(void)send(c->watch.fd, end, sizeof(end), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	connection_free(c);
}

/* What came behind the head is the start of the body; if it is something else, this request is
 * answered all the same, and nothing else is. */
static void
begin_body(struct connection *c)
{
	const struct request *r = c->request;
	const char *length = request_variable(r, "CONTENT_LENGTH");
	bool is_body = fastcgi_stdin_skip(&c->input, c->queue.request_id,
	                                  (const uint8_t *)r->head.data + r->fastcgi.head_bytes,
	                                  r->head.length_bytes - r->fastcgi.head_bytes) == 0;

	c->has_body = is_body && *length && strcmp(length, "0") != 0;
}

static void
read_head(struct connection *c)
{
	int error = request_read(c->request, c->watch.fd, c->worker->settings.api.prefix);

	if (error == -EAGAIN)
		return;
	if (error) {
		head_failed(c, error);
		return;
	}
	peers_counters(c->worker->peers)->requests++;
	c->queue.request_id = c->request->fastcgi.request_id;
	c->sent_ms = loop_now_ms(c->worker->loop);
	loop_timer_stop(c->worker->loop, &c->timer);
	begin_body(c);
	c->worker->dispatch(c);
}

bool
connection_awaits_body(const struct connection *c)
{
	return c->is_ending && send_queue_is_empty(&c->queue) && c->has_body && !c->input.is_over;
}

/* The body came to its end, or to a bad one. May free it. */
static void
end_collecting(struct connection *c, int error)
{
	void (*then)(struct connection *) = c->body->then;

	loop_timer_stop(c->worker->loop, &c->timer);
	request_free(&c->request);
	if (error == 0) {
		then(c);
		return;
	}
	if (error == -EMSGSIZE) {
		connection_answer(c, answer_error(&c->style, ANSWER_BAD_REQUEST,
		                                  "the body is not as long as its Content-Length says",
		                                  "header", "Content-Length", 0));
		return;
	}
	if (error != -ECANCELED)
		peers_counters(c->worker->peers)->requests_bad++;
	connection_free(c);
}

static void
read_wanted_body(struct connection *c)
{
	uint8_t bytes[BODY_BYTES];

	for (int i = 0; i < BODY_READS; i++) {
		ssize_t n = recv(c->watch.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		int error;

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (n <= 0) {
			connection_free(c);
			return;
		}
		error = body_add(c->body, &c->input, c->queue.request_id, bytes, (size_t)n);
		if (error != -EAGAIN) {
			end_collecting(c, error);
			return;
		}
	}
}

void
connection_collect(struct connection *c, struct body *body)
{
	const struct request *r = c->request;
	int error;

	c->body = body;
	/* What came with the head was passed over once; now it counts. */
	c->input = (struct fastcgi_stdin){ .is_over = false };
	error = body_add(body, &c->input, c->queue.request_id,
	                 (const uint8_t *)r->head.data + r->fastcgi.head_bytes,
	                 r->head.length_bytes - r->fastcgi.head_bytes);
	if (error == -EAGAIN)
		connection_set_timer(c);
	else
		end_collecting(c, error);
}

bool
connection_read_rest(struct connection *c)
{
	uint8_t bytes[BODY_BYTES];

	for (int i = 0; i < BODY_READS; i++) {
		ssize_t n = recv(c->watch.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		if (n == 0 || fastcgi_stdin_skip(&c->input, c->queue.request_id, bytes, (size_t)n) < 0)
			return false;
	}
	return true;
}

void
connection_read_request(struct connection *c)
{
	if (c->body)
		read_wanted_body(c);
	else
		read_head(c);
}
