/*
 * sse_load: opens many EventSource-like connections to one server, in one thread, and says
 * whether each received every line of the benchmark (line.h) once and in order, how fast, and
 * how long after it was written. It prints "ready" when all connections have their headers, and
 * the --greeting that they were to get (the time to start writing), with --hold "done" when all
 * have their lines, and at the end one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <json.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/must.h"
#include "base/num.h"
#include "histogram.h"
#include "line.h"
#include "sse_reader.h"
#include "tally.h"

enum {
	RECEIVE_BYTES = 128 << 10, /* larger ones fall out of a core's cache */
	CONNECTING_MAX = 128,      /* below the listen queue of any server */
	ID_BYTES = 1024,
};

struct client {
	struct loop_fd watch;
	int fd;
	uint32_t number;
	bool is_ready; /* it has its headers */
	bool is_done;  /* it has all its lines, or ended */
	int64_t asked_ns;
	int64_t first_line_ns;
	size_t hint;
	uint64_t lines;
	uint64_t others; /* events that are no lines */
	struct sse_reader reader;
	struct tally tally;
};

static struct {
	uint64_t clients;
	uint64_t lines;       /* each client is to receive; 0: not counted */
	uint64_t greeting;    /* events that are no lines, before anything is written */
	uint64_t deadline_s;
	uint64_t settle_ms;
	bool measures_latency;
	bool holds;           /* until standard input ends */
	bool is_unchecked;
	bool is_unordered;    /* in whatever order */
	const char *last_event_id;
	struct sockaddr_in address;
	char host[64];
	const char *path;
} options = { .clients = 1, .deadline_s = 60, .settle_ms = 50 };

static struct loop *loop;
static struct client *clients;
static struct loop_timer deadline, settled;
static struct loop_fd input;
static struct histogram latency;
static char received[RECEIVE_BYTES];
static int64_t received_ns;
static int64_t began_ns, ready_ns, first_line_ns, last_line_ns, first_written_ns;
static double cpu_before_s, cpu_s;
static uint64_t opened, connecting, ready, greeted, done, refused_connections, ended_early;
static uint64_t gaps, refusals, other_events;
static int bad_status;
static bool is_ready; /* all are: it was said */
static bool timed_out;
static char first_id[ID_BYTES], last_id[ID_BYTES];

static double
own_cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
on_settled(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* All have their headers, and their lines; the last of both may have come in one piece. */
static void
all_done(void)
{
	if (options.holds) {
		say("done");
		return;
	}
	/* What a server sends twice may come last: look a moment longer. */
	cpu_s = own_cpu_s() - cpu_before_s;
	loop_timer_set(loop, &settled, (int64_t)options.settle_ms, on_settled, NULL);
}

static void
client_done(struct client *c)
{
	if (c->is_done)
		return;
	c->is_done = true;
	if (++done == options.clients && is_ready)
		all_done();
}

static void open_more(void);
static void check_ready(void);

static void
client_close(struct client *c)
{
	loop_fd_remove(loop, &c->watch);
	fd_close(&c->fd);
	if (!c->is_ready) {
		/* It will not be ready, but the others are not to wait for it. */
		c->is_ready = true;
		connecting--;
		ready++;
		refused_connections++;
		open_more();
		check_ready();
	} else if (!c->is_done && !options.is_unchecked) {
		ended_early++;
	}
	if (c->others < options.greeting) {
		greeted++; /* nor for what it will not be told */
		check_ready();
	}
	client_done(c);
}

/* --- events ----------------------------------------------------------------------------------- */

static void
keep_id(char *ret_id, const struct sse_event *event)
{
	size_t length = event->id_length < ID_BYTES ? event->id_length : ID_BYTES - 1;

	memcpy(ret_id, event->id, length);
	ret_id[length] = '\0';
}

static bool
is_type(const struct sse_event *event, const char *type)
{
	return event->type_length == strlen(type) && memcmp(event->type, type, event->type_length) == 0;
}

static void
on_event(void *arg, const struct sse_event *event)
{
	struct client *c = arg;
	uint64_t seq;
	int64_t ts_ns;

	if (!line_find(event->data, event->data_length, &c->hint, &seq, &ts_ns)) {
		gaps += is_type(event, "gap");
		refusals += is_type(event, "refused");
		other_events++;
		if (++c->others == options.greeting) {
			greeted++;
			check_ready();
		}
		return;
	}
	if (c->lines++ == 0) {
		c->first_line_ns = received_ns;
		if (first_line_ns == 0) {
			first_line_ns = received_ns;
			if (ready_ns == 0)
				cpu_before_s = own_cpu_s();
		}
		if (options.clients == 1 && event->id)
			keep_id(first_id, event);
	}
	last_line_ns = received_ns;
	if (seq == 1)
		first_written_ns = ts_ns;
	if (options.clients == 1 && event->id)
		keep_id(last_id, event);
	if (options.measures_latency && ts_ns > 0)
		histogram_add(&latency, received_ns > ts_ns ? (uint64_t)(received_ns - ts_ns) : 0);
	if (!options.is_unchecked && options.lines > 0)
		tally_add(&c->tally, seq);
	if (options.lines > 0 && !c->is_done &&
	    (options.is_unchecked ? c->lines >= options.lines : tally_is_complete(&c->tally)))
		client_done(c);
}

/* --- connections ------------------------------------------------------------------------------ */

static void
check_ready(void)
{
	if (is_ready || ready < options.clients || (options.greeting > 0 && greeted < options.clients))
		return;
	is_ready = true;
	ready_ns = clock_now_ns();
	if (first_line_ns == 0)
		cpu_before_s = own_cpu_s();
	say("ready");
	if (done == options.clients)
		all_done();
}

static void
send_request(struct client *c)
{
	char text[4096];
	char number[32];
	const char *mark = strstr(options.path, "{n}");
	size_t before = mark ? (size_t)(mark - options.path) : strlen(options.path);

	/* "{n}" in the path is the client's number. */
	snprintf(number, sizeof(number), "%u", c->number);
	int length = snprintf(text, sizeof(text),
	                      "GET %.*s%s%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n"
	                      "Cache-Control: no-cache\r\n%s%s%s\r\n",
	                      (int)before, options.path, mark ? number : "", mark ? mark + 3 : "",
	                      options.host, options.last_event_id ? "Last-Event-ID: " : "",
	                      options.last_event_id ? options.last_event_id : "",
	                      options.last_event_id ? "\r\n" : "");
	must(length > 0 && (size_t)length < sizeof(text));
	c->asked_ns = clock_now_ns();
	/* The socket is new: its buffer takes a request whole. */
	if (send(c->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		client_close(c);
}

static void
on_readable(struct client *c)
{
	ssize_t n = recv(c->fd, received, sizeof(received), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	received_ns = clock_now_ns();
	int error = sse_reader_feed(&c->reader, received, (size_t)n);
	if (!c->is_ready && c->reader.status > 0) {
		if (c->reader.status != 200) {
			bad_status = c->reader.status;
			client_close(c);
			return;
		}
		c->is_ready = true;
		connecting--;
		ready++;
		open_more();
		check_ready();
	}
	if (error || c->reader.phase == SSE_TRAILER)
		client_close(c);
}

static void
on_client(void *arg, uint32_t events)
{
	struct client *c = arg;

	if (events & EPOLLOUT) {
		int error = 0;
		socklen_t length = sizeof(error);

		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error) {
			client_close(c);
			return;
		}
		must(loop_fd_change(loop, &c->watch, EPOLLIN) == 0);
		send_request(c);
		return;
	}
	on_readable(c);
}

static int
client_open(struct client *c)
{
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&options.address, sizeof(options.address)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return loop_fd_add(loop, &c->watch, c->fd, EPOLLOUT, on_client, c);
}

static void
open_more(void)
{
	while (opened < options.clients && connecting < CONNECTING_MAX) {
		struct client *c = &clients[opened];

		c->number = (uint32_t)opened++;
		tally_init(&c->tally, options.lines);
		sse_reader_init(&c->reader, on_event, c);
		connecting++;
		int error = client_open(c);
		if (error) {
			fprintf(stderr, "sse_load: client %u cannot connect: %s\n", c->number, strerror(-error));
			exit(1);
		}
	}
}

static void
on_deadline(void *arg)
{
	(void)arg;
	timed_out = !options.holds;
	cpu_s = own_cpu_s() - cpu_before_s;
	loop_stop(loop);
}

static void
on_input(void *arg, uint32_t events)
{
	char c;

	(void)arg;
	(void)events;
	if (read(STDIN_FILENO, &c, 1) > 0)
		return;
	cpu_s = own_cpu_s() - cpu_before_s;
	loop_stop(loop);
}

/* --- the report ------------------------------------------------------------------------------- */

static void
put_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void
put_double(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, json_object_new_double(value));
}

/* Prints the figures; returns whether every client got every line once and in order. */
static bool
report(void)
{
	struct json_object *o = json_object_new_object();
	uint64_t lines = 0, missing = 0, repeated = 0, disordered = 0, foreign = 0, bytes = 0;
	int64_t first_after_ns = 0;

	must(o);
	for (uint64_t i = 0; i < opened; i++) {
		const struct client *c = &clients[i];

		lines += c->lines;
		missing += options.is_unchecked ? 0 : tally_missing(&c->tally);
		repeated += c->tally.repeated;
		disordered += options.is_unordered ? 0 : c->tally.disordered;
		foreign += c->tally.foreign;
		bytes += c->reader.body_bytes;
		if (c->first_line_ns - c->asked_ns > first_after_ns)
			first_after_ns = c->first_line_ns - c->asked_ns;
	}
	put_u64(o, "clients", options.clients);
	put_u64(o, "refused_connections", refused_connections);
	put_u64(o, "bad_status", (uint64_t)bad_status);
	put_u64(o, "ended_early", ended_early);
	put_u64(o, "lines_expected", options.lines);
	put_u64(o, "lines", lines);
	put_u64(o, "missing", missing);
	put_u64(o, "repeated", repeated);
	put_u64(o, "disordered", disordered);
	put_u64(o, "foreign", foreign);
	put_u64(o, "gaps", gaps);
	put_u64(o, "refusals", refusals);
	put_u64(o, "other_events", other_events);
	put_u64(o, "body_bytes", bytes);
	put_double(o, "connect_s", (double)(ready_ns - began_ns) / 1e9);
	put_double(o, "cpu_s", cpu_s);
	if (lines > 0) {
		/* From the writing of line 1, if this machine wrote it, else from its first receipt. */
		int64_t from_ns = first_written_ns > 0 ? first_written_ns : first_line_ns;
		double span_s = (double)(last_line_ns - from_ns) / 1e9;

		put_double(o, "span_s", span_s);
		put_double(o, "lines_per_s", (double)lines / span_s);
		put_double(o, "bytes_per_s", (double)bytes / span_s);
		put_double(o, "asked_to_last_s", (double)(last_line_ns - clients[0].asked_ns) / 1e9);
		put_double(o, "first_line_ms", (double)first_after_ns / 1e6);
	}
	if (latency.count > 0) {
		put_u64(o, "latency_count", latency.count);
		put_double(o, "latency_p50_ms", (double)histogram_quantile(&latency, 0.5) / 1e6);
		put_double(o, "latency_p99_ms", (double)histogram_quantile(&latency, 0.99) / 1e6);
		put_double(o, "latency_max_ms", (double)latency.max / 1e6);
	}
	json_object_object_add(o, "first_id", json_object_new_string(first_id));
	json_object_object_add(o, "last_id", json_object_new_string(last_id));
	json_object_object_add(o, "timed_out", json_object_new_boolean(timed_out));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return missing + repeated + disordered + foreign + refused_connections + ended_early == 0 &&
	       !timed_out;
}

/* --- the command line ------------------------------------------------------------------------- */

static const char usage_text[] =
	"usage: sse_load [OPTION]… http://IPV4:PORT/PATH\n"
	"  --clients=N          connections to hold ({n} in PATH is the client's number, from 0); 1\n"
	"  --lines=N            each is to receive lines 1 to N, then all is done\n"
	"  --unordered          in whatever order, but each once\n"
	"  --greeting=N         be ready when each has had so many events that are no lines; 0\n"
	"  --unchecked          N lines whatever their numbers, or until the server ends\n"
	"  --latency            measure from each line's timestamp to its receipt\n"
	"  --hold               go on until standard input ends\n"
	"  --last-event-id=ID   resume there\n"
	"  --settle-ms=N        look so much longer for what comes again; 50\n"
	"  --deadline-s=N       give up after so long; 60\n";

_Noreturn static void
misused(const char *what)
{
	fprintf(stderr, "sse_load: %s\n%s", what, usage_text);
	exit(2);
}

static void
read_number(const char *text, uint64_t *ret_value)
{
	if (num_parse_u64(text, strlen(text), ret_value) < 0)
		misused("not a number");
}

static void
read_url(const char *url)
{
	const char *host = url + strlen("http://");
	uint64_t port;

	if (strncmp(url, "http://", strlen("http://")) != 0)
		misused("not an http:// URL");
	const char *colon = strchr(host, ':');
	const char *slash = strchr(host, '/');
	if (!colon || !slash || colon > slash || (size_t)(slash - host) >= sizeof(options.host))
		misused("the URL needs an address, a port and a path");
	snprintf(options.host, sizeof(options.host), "%.*s", (int)(colon - host), host);
	options.address.sin_family = AF_INET;
	if (inet_pton(AF_INET, options.host, &options.address.sin_addr) != 1 ||
	    num_parse_u64(colon + 1, (size_t)(slash - colon - 1), &port) < 0 || port > 65535)
		misused("the URL needs an IPv4 address and a port");
	options.address.sin_port = htons((uint16_t)port);
	options.path = slash;
}

static void
read_options(int argc, char **argv)
{
	enum {
		CLIENTS = 256, LINES, UNORDERED, GREETING, UNCHECKED, LATENCY, HOLD, LAST_EVENT_ID,
		SETTLE_MS, DEADLINE_S,
	};
	static const struct option known[] = {
		{ "clients", required_argument, NULL, CLIENTS },
		{ "lines", required_argument, NULL, LINES },
		{ "unordered", no_argument, NULL, UNORDERED },
		{ "greeting", required_argument, NULL, GREETING },
		{ "unchecked", no_argument, NULL, UNCHECKED },
		{ "latency", no_argument, NULL, LATENCY },
		{ "hold", no_argument, NULL, HOLD },
		{ "last-event-id", required_argument, NULL, LAST_EVENT_ID },
		{ "settle-ms", required_argument, NULL, SETTLE_MS },
		{ "deadline-s", required_argument, NULL, DEADLINE_S },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case CLIENTS: read_number(optarg, &options.clients); break;
		case LINES: read_number(optarg, &options.lines); break;
		case UNORDERED: options.is_unordered = true; break;
		case GREETING: read_number(optarg, &options.greeting); break;
		case UNCHECKED: options.is_unchecked = true; break;
		case LATENCY: options.measures_latency = true; break;
		case HOLD: options.holds = true; break;
		case LAST_EVENT_ID: options.last_event_id = optarg; break;
		case SETTLE_MS: read_number(optarg, &options.settle_ms); break;
		case DEADLINE_S: read_number(optarg, &options.deadline_s); break;
		default: misused("unknown option");
		}
	}
	if (optind != argc - 1)
		misused("one URL is needed");
	read_url(argv[optind]);
	if (options.clients < 1 || options.clients > 1000000 || options.lines > 999999999 ||
	    options.deadline_s > 86400 || options.settle_ms > 60000)
		misused("a number is out of range");
	if (options.last_event_id && strlen(options.last_event_id) > ID_BYTES)
		misused("the id is too long");
	if (strlen(options.path) > 2048)
		misused("the path is too long");
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	clients = calloc(options.clients, sizeof(*clients));
	must(clients);
	must(loop_new(&loop) == 0);
	loop_timer_set(loop, &deadline, (int64_t)options.deadline_s * 1000, on_deadline, NULL);
	if (options.holds && loop_fd_add(loop, &input, STDIN_FILENO, EPOLLIN, on_input, NULL) < 0)
		misused("--hold needs a pipe or a terminal as standard input");
	began_ns = clock_now_ns();
	open_more();
	must(loop_run(loop) == 0);
	bool is_right = report();

	for (uint64_t i = 0; i < opened; i++) {
		sse_reader_fini(&clients[i].reader);
		tally_fini(&clients[i].tally);
	}
	free(clients);
	loop_free(&loop);
	return is_right ? 0 : 1;
}
