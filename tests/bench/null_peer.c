/*
 * null_peer: a server that does no work. It answers any request with the same events, made
 * before the first request came: what a proxy, or the load generator itself, can do at most.
 * By FastCGI it stands in for a worker behind the same nginx; by HTTP it feeds sse_load directly.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fastcgi.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/must.h"
#include "base/num.h"
#include "line.h"

enum {
	REQUEST_BYTES_MAX = 65536,
	PIECE_BYTES = 65528,     /* of a FastCGI record or a chunk: the most without padding */
	TURN_BYTES = 1 << 20,    /* sent to one client before the others have their turn */
};

/* What is sent: head once, body as often as asked, tail once. */
static struct buf head, body, tail;
static uint64_t lines = 1000;
static uint64_t event_bytes = 300;
static uint64_t repeats = 1;
static bool speaks_http;
static bool holds;
static struct loop *loop;
static struct loop_fd listener;

struct client {
	struct loop_fd watch;
	int fd;
	bool is_asked;
	struct buf request;
	uint64_t parts_sent; /* 0: in the head; 1 … repeats: in the body; then the tail */
	size_t part_bytes_sent;
};

/* --- what is sent ----------------------------------------------------------------------------- */

static void
put_record(struct buf *b, unsigned char type, const void *content, size_t length)
{
	FCGI_Header header = {
		.version = FCGI_VERSION_1, .type = type, .requestIdB0 = 1,
		.contentLengthB1 = (unsigned char)(length >> 8),
		.contentLengthB0 = (unsigned char)length,
	};

	buf_append(b, &header, sizeof(header));
	buf_append(b, content, length);
}

static void
put_piece(struct buf *b, const char *content, size_t length)
{
	if (!speaks_http) {
		put_record(b, FCGI_STDOUT, content, length);
		return;
	}
	buf_printf(b, "%zx\r\n", length);
	buf_append(b, content, length);
	buf_puts(b, "\r\n");
}

/* One event of event_bytes, of the shape of runstream's log events. */
static void
put_event(struct buf *b, uint64_t seq)
{
	static const char before[] =
		"event: log\ndata: {\"run_id\":\"run-1\",\"stream\":\"stdout\",\"line\":\"";
	char after[128];
	size_t start = b->length_bytes;

	buf_printf(b, "id: s=%ju;e=0\n", (uintmax_t)seq);
	buf_puts(b, before);
	int after_length = snprintf(after, sizeof(after),
	                            "\",\"n\":%ju,\"timestamp\":\"2026-01-01T00:00:00.000Z\"}\n\n",
	                            (uintmax_t)seq);
	size_t used = b->length_bytes - start + (size_t)after_length;
	size_t line_length = event_bytes > used + LINE_BYTES_MIN ? (size_t)event_bytes - used : LINE_BYTES_MIN;
	char *line = buf_reserve(b, line_length);
	must(line);
	line_format(line, line_length, seq, 0);
	b->length_bytes += line_length;
	buf_append(b, after, (size_t)after_length);
}

static void
make_answer(void)
{
	static const char http_head[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		"Transfer-Encoding: chunked\r\n\r\n";
	static const char fcgi_head[] =
		"Status: 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
		"X-Accel-Buffering: no\r\n\r\n";
	static const FCGI_EndRequestBody end = { .protocolStatus = FCGI_REQUEST_COMPLETE };
	struct buf events = BUF_INIT;

	for (uint64_t seq = 1; seq <= lines; seq++)
		put_event(&events, seq);
	for (size_t at = 0; at < events.length_bytes; at += PIECE_BYTES) {
		size_t left = events.length_bytes - at;

		put_piece(&body, events.data + at, left < PIECE_BYTES ? left : PIECE_BYTES);
	}
	if (speaks_http) {
		buf_puts(&head, http_head);
		buf_puts(&tail, "0\r\n\r\n");
	} else {
		put_record(&head, FCGI_STDOUT, fcgi_head, strlen(fcgi_head));
		put_record(&tail, FCGI_STDOUT, NULL, 0);
		put_record(&tail, FCGI_END_REQUEST, &end, sizeof(end));
	}
	must(!buf_error(&events) && !buf_error(&head) && !buf_error(&body) && !buf_error(&tail));
	buf_fini(&events);
}

/* --- clients ---------------------------------------------------------------------------------- */

static void
client_free(struct client *c)
{
	loop_fd_remove(loop, &c->watch);
	fd_close(&c->fd);
	buf_fini(&c->request);
	free(c);
}

static const struct buf *
part(const struct client *c)
{
	return c->parts_sent == 0 ? &head : c->parts_sent <= repeats ? &body : &tail;
}

static void
send_more(struct client *c)
{
	for (size_t turn_bytes = 0; turn_bytes < TURN_BYTES;) {
		const struct buf *from = part(c);
		ssize_t n = send(c->fd, from->data + c->part_bytes_sent,
		                 from->length_bytes - c->part_bytes_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0) {
			if (errno != EAGAIN)
				client_free(c);
			return;
		}
		turn_bytes += (size_t)n;
		c->part_bytes_sent += (size_t)n;
		if (c->part_bytes_sent < from->length_bytes)
			continue;
		c->part_bytes_sent = 0;
		c->parts_sent++;
		if (c->parts_sent > repeats && holds) {
			must(loop_fd_change(loop, &c->watch, EPOLLIN) == 0);
			return;
		}
		if (c->parts_sent > repeats + 1) {
			client_free(c);
			return;
		}
	}
}

/* Whether the request is all there: the head of HTTP; of FastCGI, the end of FCGI_PARAMS. */
static bool
is_request_whole(const struct buf *b)
{
	if (speaks_http)
		return memmem(b->data, b->length_bytes, "\r\n\r\n", 4);
	for (size_t at = 0; b->length_bytes - at >= sizeof(FCGI_Header);) {
		FCGI_Header header;

		memcpy(&header, b->data + at, sizeof(header));
		size_t length = (size_t)header.contentLengthB1 << 8 | header.contentLengthB0;
		if (header.type == FCGI_PARAMS && length == 0)
			return true;
		if (b->length_bytes - at < sizeof(header) + length + header.paddingLength)
			return false;
		at += sizeof(header) + length + header.paddingLength;
	}
	return false;
}

static void
on_client(void *arg, uint32_t events)
{
	struct client *c = arg;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		char *space = buf_reserve(&c->request, 4096);
		ssize_t n = space ? recv(c->fd, space, 4096, MSG_DONTWAIT) : 0;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || c->request.length_bytes > REQUEST_BYTES_MAX) {
			client_free(c);
			return;
		}
		if (c->is_asked)
			return; /* FCGI_STDIN: its end, for a GET; overwritten by what comes next */
		c->request.length_bytes += (size_t)n;
		if (!is_request_whole(&c->request))
			return;
		c->is_asked = true;
		buf_fini(&c->request);
		must(loop_fd_change(loop, &c->watch, EPOLLIN | EPOLLOUT) == 0);
		return;
	}
	if (events & EPOLLOUT)
		send_more(c);
}

static void
on_connection(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct client *c = calloc(1, sizeof(*c));
	must(c);
	c->fd = fd;
	must(loop_fd_add(loop, &c->watch, fd, EPOLLIN, on_client, c) == 0);
}

/* --- the command line ------------------------------------------------------------------------- */

_Noreturn static void
misused(const char *what)
{
	fprintf(stderr,
	        "null_peer: %s\n"
	        "usage: null_peer [--lines=N] [--event-bytes=N] [--repeats=N] [--hold] SOCKET-PATH\n"
	        "       null_peer [...] --http PORT\n",
	        what);
	exit(2);
}

static int
listen_on(const char *where)
{
	struct sockaddr_in inet = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	const struct sockaddr *address = (const struct sockaddr *)&local;
	socklen_t length = sizeof(local);
	uint64_t port;
	int on = 1;

	if (speaks_http) {
		if (num_parse_u64(where, strlen(where), &port) < 0 || port > 65535)
			misused("not a port");
		inet.sin_port = htons((uint16_t)port);
		address = (const struct sockaddr *)&inet;
		length = sizeof(inet);
	} else {
		if (strlen(where) >= sizeof(local.sun_path))
			misused("the socket's path is too long");
		memcpy(local.sun_path, where, strlen(where));
		unlink(where);
	}
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, address, length) < 0 || listen(fd, 4096) < 0) {
		fprintf(stderr, "null_peer: %s: %s\n", where, strerror(errno));
		exit(1);
	}
	if (!speaks_http)
		chmod(where, 0666);
	return fd;
}

static void
on_stop(void *arg, int signal_number)
{
	(void)arg;
	(void)signal_number;
	loop_stop(loop);
}

int
main(int argc, char **argv)
{
	enum { LINES = 256, EVENT_BYTES, REPEATS, HTTP, HOLD };
	static const struct option known[] = {
		{ "lines", required_argument, NULL, LINES },
		{ "event-bytes", required_argument, NULL, EVENT_BYTES },
		{ "repeats", required_argument, NULL, REPEATS },
		{ "http", no_argument, NULL, HTTP },
		{ "hold", no_argument, NULL, HOLD },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t *value = c == LINES ? &lines : c == EVENT_BYTES ? &event_bytes : &repeats;

		if (c == HTTP)
			speaks_http = true;
		else if (c == HOLD)
			holds = true;
		else if (c < LINES || c > REPEATS)
			misused("unknown option");
		else if (num_parse_u64(optarg, strlen(optarg), value) < 0)
			misused("not a number");
	}
	if (optind != argc - 1)
		misused("one place to listen on is needed");
	if (lines < 1 || lines > 1000000 || event_bytes > 65536 || repeats < 1)
		misused("a number is out of range");
	make_answer();
	must(loop_new(&loop) == 0);
	must(loop_signal_add(loop, SIGTERM, on_stop, NULL) == 0);
	int fd = listen_on(argv[optind]);
	must(loop_fd_add(loop, &listener, fd, EPOLLIN, on_connection, NULL) == 0);
	puts("ready");
	fflush(stdout);
	must(loop_run(loop) == 0);
	fd_close(&fd);
	buf_fini(&head);
	buf_fini(&body);
	buf_fini(&tail);
	loop_free(&loop);
	return 0;
}
