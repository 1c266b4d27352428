/*
 * event_load: producers of recorded events, in one thread, each with a connection that it keeps. A
 * producer posts one event, whose text is a line of the benchmarks (line.h), awaits the answer, and
 * goes on: at once, or with a rate, not before its turn. At the end it prints one JSON object: events
 * a second, and how long the answers took. An answer other than 202 ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <json.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/must.h"
#include "base/num.h"
#include "histogram.h"
#include "line.h"

enum { LINE_BYTES = 120, REQUEST_BYTES = 2048, PRODUCERS_MAX = 1000 };

struct producer {
	struct loop_fd watch;
	struct loop_timer timer;
	int fd;
	int64_t asked_ns;
	struct buf answer;
};

static struct {
	uint64_t producers;
	uint64_t events;
	uint64_t rate; /* of all together, a second; 0: as fast as answers come */
	struct sockaddr_in address;
	const char *path;
} options = { .producers = 1, .events = 1 };

static struct loop *loop;
static struct producer *producers;
static struct histogram latency;
static uint64_t taken, posted, answered; /* taken: by a producer, whose turn it may not be yet */
static int64_t began_ns, ended_ns;

_Noreturn static void
failed(const char *what)
{
	fprintf(stderr, "event_load: %s\n", what);
	exit(1);
}

/* --- one event after the other -------------------------------------------------------------------- */

static void
post(void *arg)
{
	struct producer *p = arg;
	char line[LINE_BYTES], body[REQUEST_BYTES], text[REQUEST_BYTES];
	int body_length, length;

	p->asked_ns = clock_now_ns();
	line_format(line, sizeof(line), ++posted, p->asked_ns);
	body_length = snprintf(body, sizeof(body),
	                       "{\"type\":\"unit.progress\",\"unit\":\"unit-%td\",\"message\":\"%.*s\"}",
	                       p - producers, (int)sizeof(line), line);
	length = snprintf(text, sizeof(text),
	                  "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
	                  "Content-Length: %d\r\n\r\n%s",
	                  options.path, body_length, body);
	must(body_length > 0 && length > 0 && (size_t)length < sizeof(text));
	/* Nothing else is on its way: the socket's buffer takes it whole. */
	if (send(p->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		failed("a connection was closed");
}

static void
go_on(struct producer *p)
{
	int64_t due_ns;

	if (taken >= options.events)
		return;
	due_ns = options.rate ? began_ns + (int64_t)(taken * UINT64_C(1000000000) / options.rate) : 0;
	taken++;
	if (due_ns <= clock_now_ns())
		post(p);
	else
		loop_timer_set(loop, &p->timer, (due_ns - clock_now_ns()) / 1000000 + 1, post, p);
}

/* Whether the whole answer is there. */
static bool
take_answer(struct buf *b)
{
	const char *text = buf_string(b);
	const char *head_end = strstr(text, "\r\n\r\n"), *length;
	size_t whole;

	if (!head_end)
		return false;
	if (strncmp(text, "HTTP/1.1 202", strlen("HTTP/1.1 202")) != 0)
		failed(text);
	length = strcasestr(text, "\r\nContent-Length:");
	if (!length || length > head_end)
		failed("an answer has no length");
	whole = (size_t)(head_end - text) + 4 + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (b->length_bytes < whole)
		return false;
	buf_consume(b, whole);
	return true;
}

static void
on_producer(void *arg, uint32_t events)
{
	struct producer *p = arg;
	char *room = buf_reserve(&p->answer, REQUEST_BYTES);
	ssize_t n;

	(void)events;
	must(room);
	n = recv(p->fd, room, REQUEST_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		failed("a connection was closed");
	p->answer.length_bytes += (size_t)n;
	if (!take_answer(&p->answer))
		return;
	ended_ns = clock_now_ns();
	histogram_add(&latency, (uint64_t)(ended_ns - p->asked_ns));
	if (++answered == options.events)
		loop_stop(loop);
	else
		go_on(p);
}

static void
open_producer(struct producer *p)
{
	int on = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 ||
	    connect(p->fd, (const struct sockaddr *)&options.address, sizeof(options.address)) < 0)
		failed("cannot connect");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(loop_fd_add(loop, &p->watch, p->fd, EPOLLIN, on_producer, p) == 0);
}

/* --- the report ------------------------------------------------------------------------------------ */

static void
put_double(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, json_object_new_double(value));
}

static void
report(void)
{
	struct json_object *o = json_object_new_object();

	must(o);
	json_object_object_add(o, "events", json_object_new_uint64(answered));
	put_double(o, "events_per_s", (double)answered / ((double)(ended_ns - began_ns) / 1e9));
	put_double(o, "latency_p50_ms", (double)histogram_quantile(&latency, 0.5) / 1e6);
	put_double(o, "latency_p99_ms", (double)histogram_quantile(&latency, 0.99) / 1e6);
	put_double(o, "latency_max_ms", (double)latency.max / 1e6);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

/* --- the command line ------------------------------------------------------------------------------- */

_Noreturn static void
misused(const char *what)
{
	fprintf(stderr,
	        "event_load: %s\n"
	        "usage: event_load [--producers=N] [--events=N] [--rate=N] http://IPV4:PORT/PATH\n",
	        what);
	exit(2);
}

static void
read_url(const char *url)
{
	const char *host = url + strlen("http://");
	char text[INET_ADDRSTRLEN];
	uint64_t port;

	if (strncmp(url, "http://", strlen("http://")) != 0)
		misused("not an http:// URL");
	const char *colon = strchr(host, ':');
	const char *slash = strchr(host, '/');
	if (!colon || !slash || colon > slash || (size_t)(colon - host) >= sizeof(text) ||
	    strlen(slash) > REQUEST_BYTES / 2)
		misused("the URL needs an address, a port and a path");
	snprintf(text, sizeof(text), "%.*s", (int)(colon - host), host);
	options.address.sin_family = AF_INET;
	if (inet_pton(AF_INET, text, &options.address.sin_addr) != 1 ||
	    num_parse_u64(colon + 1, (size_t)(slash - colon - 1), &port) < 0 || port > 65535)
		misused("the URL needs an IPv4 address and a port");
	options.address.sin_port = htons((uint16_t)port);
	options.path = slash;
}

static void
read_options(int argc, char **argv)
{
	enum { PRODUCERS = 256, EVENTS, RATE };
	static const struct option known[] = {
		{ "producers", required_argument, NULL, PRODUCERS },
		{ "events", required_argument, NULL, EVENTS },
		{ "rate", required_argument, NULL, RATE },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t *value = c == PRODUCERS ? &options.producers : c == EVENTS ? &options.events
		                : c == RATE ? &options.rate : NULL;

		if (!value)
			misused("unknown option");
		if (num_parse_u64(optarg, strlen(optarg), value) < 0)
			misused("not a number");
	}
	if (optind != argc - 1)
		misused("one URL is needed");
	read_url(argv[optind]);
	if (options.producers < 1 || options.producers > PRODUCERS_MAX ||
	    options.events < options.producers || options.events > 99999999 || options.rate > 1000000)
		misused("a number is out of range");
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	producers = calloc(options.producers, sizeof(*producers));
	must(producers);
	must(loop_new(&loop) == 0);
	for (uint64_t i = 0; i < options.producers; i++)
		open_producer(&producers[i]);
	began_ns = clock_now_ns();
	for (uint64_t i = 0; i < options.producers; i++)
		go_on(&producers[i]);
	must(loop_run(loop) == 0);
	report();
	for (uint64_t i = 0; i < options.producers; i++) {
		loop_fd_remove(loop, &producers[i].watch);
		fd_close(&producers[i].fd);
		buf_fini(&producers[i].answer);
	}
	free(producers);
	loop_free(&loop);
	return 0;
}
