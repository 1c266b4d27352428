/*
 * log_writer: writes lines 1 to N of the benchmarks (line.h), each with the time at which it is
 * written, either to the end of files, or to the publisher of an nchan server, one POST each.
 * With a rate, each line goes out by itself at its time, to the files in turn; without one, as fast
 * as can be: to each file its share in large writes, to nchan with requests in flight on one
 * connection, to keep their order. With --messages each line is an entry of a message bus.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "line.h"

enum { WRITE_BYTES = 1 << 20, REQUEST_BYTES_MAX = 70000 };

static uint64_t lines = 1;
static uint64_t first = 1;
static uint64_t rate;       /* lines a second; 0: at once */
static uint64_t bytes = 120; /* of a line, without its newline */
static uint64_t in_flight = 1;
static bool writes_messages;

_Noreturn static void
misused(const char *what)
{
	fprintf(stderr,
	        "log_writer: %s\n"
	        "usage: log_writer [--lines=N] [--first=N] [--rate=N] [--bytes=N] [--messages] FILE…\n"
	        "       log_writer [--lines=N] [--rate=N] [--bytes=N] [--in-flight=N] http://IPV4:PORT/PATH\n",
	        what);
	exit(2);
}

_Noreturn static void
failed(const char *what)
{
	fprintf(stderr, "log_writer: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Waits for the time of the index-th line since began_ns. */
static void
wait_for_turn(int64_t began_ns, uint64_t index)
{
	int64_t due_ns = began_ns + (int64_t)(index * UINT64_C(1000000000) / rate);
	struct timespec due = { .tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static void
flush(int fd, struct buf *b)
{
	int error = buf_error(b);

	if (!error)
		error = fd_write_all(fd, b->data, b->length_bytes);
	if (error) {
		errno = -error;
		failed("write");
	}
	buf_clear(b);
}

static void
put_line(struct buf *b, uint64_t seq)
{
	char *text = buf_reserve(b, bytes);

	if (!text)
		return; /* flush() tells */
	line_format(text, bytes, seq, clock_now_ns());
	b->length_bytes += bytes;
}

/* --- files ------------------------------------------------------------------------------------ */

static void
put_entry(struct buf *b, uint64_t seq)
{
	if (writes_messages)
		buf_printf(b,
		           "---\nmsg_id: MSG-20260101-000000-%09ju-PID00001-0001\n"
		           "ts: 2026-01-01T00:00:00Z\ntype: INFO\nproject_id: bench\n---\n",
		           (uintmax_t)seq);
	put_line(b, seq);
	buf_putc(b, '\n');
}

/* To the end of a file: count lines from seq on. */
static void
write_share(const char *path, uint64_t seq, uint64_t count, struct buf *b)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	/* As the writers of message buses do; with the descriptor it goes. */
	if (fd < 0 || (writes_messages && flock(fd, LOCK_EX) < 0))
		failed(path);
	for (uint64_t i = 0; i < count; i++) {
		put_entry(b, seq + i);
		if (b->length_bytes >= WRITE_BYTES)
			flush(fd, b);
	}
	flush(fd, b);
	fd_close(&fd);
}

static void
write_files(char **paths, uint64_t count)
{
	struct buf b = BUF_INIT;
	int64_t began_ns = clock_now_ns();

	for (uint64_t i = 0; rate && i < lines; i++) {
		wait_for_turn(began_ns, i);
		write_share(paths[i % count], first + i, 1, &b);
	}
	for (uint64_t i = 0; !rate && i < count; i++)
		write_share(paths[i], first + lines * i / count,
		            lines * (i + 1) / count - lines * i / count, &b);
	buf_fini(&b);
}

/* --- nchan ------------------------------------------------------------------------------------ */

struct publisher {
	int fd;
	struct buf answers;
};

static int
connect_to(const char *url, const char **ret_path)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	const char *host = url + strlen("http://");
	const char *colon = strchr(host, ':');
	const char *slash = strchr(host, '/');
	char text[INET_ADDRSTRLEN];
	uint64_t port;
	int on = 1;

	if (!colon || !slash || colon > slash || (size_t)(colon - host) >= sizeof(text))
		misused("the URL needs an IPv4 address, a port and a path");
	snprintf(text, sizeof(text), "%.*s", (int)(colon - host), host);
	if (inet_pton(AF_INET, text, &address.sin_addr) != 1 ||
	    num_parse_u64(colon + 1, (size_t)(slash - colon - 1), &port) < 0 || port > 65535)
		misused("the URL needs an IPv4 address and a port");
	address.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		failed("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_path = slash;
	return fd;
}

/* Takes one whole answer off what was received. Returns false if it is not all there. */
static bool
take_answer(struct buf *b)
{
	const char *text = buf_string(b);
	const char *head_end = strstr(text, "\r\n\r\n");

	if (!head_end)
		return false;
	const char *length = strcasestr(text, "\r\nContent-Length:");
	size_t whole = (size_t)(head_end - text) + 4;
	if (length && length < head_end)
		whole += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (b->length_bytes < whole)
		return false;
	if (strncmp(text, "HTTP/1.1 2", strlen("HTTP/1.1 2")) != 0) {
		fprintf(stderr, "log_writer: the publisher was told %.*s\n", (int)strcspn(text, "\r"), text);
		exit(1);
	}
	buf_consume(b, whole);
	return true;
}

static void
await_answer(struct publisher *p)
{
	while (!take_answer(&p->answers)) {
		char *space = buf_reserve(&p->answers, 65536);
		ssize_t n = space ? read(p->fd, space, 65536) : -1;

		if (n <= 0)
			failed("the publisher's answer");
		p->answers.length_bytes += (size_t)n;
	}
}

static void
publish(const char *url)
{
	struct publisher p = { .answers = BUF_INIT };
	struct buf request = BUF_INIT;
	const char *path;
	uint64_t answered = 0;

	p.fd = connect_to(url, &path);
	int64_t began_ns = clock_now_ns();
	for (uint64_t i = 0; i < lines; i++) {
		if (rate)
			wait_for_turn(began_ns, i);
		buf_printf(&request,
		           "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\n"
		           "Content-Length: %zu\r\n\r\n",
		           path, (size_t)bytes);
		put_line(&request, first + i);
		flush(p.fd, &request);
		for (; answered + in_flight <= i + 1; answered++)
			await_answer(&p);
	}
	for (; answered < lines; answered++)
		await_answer(&p);
	fd_close(&p.fd);
	buf_fini(&p.answers);
	buf_fini(&request);
}

static bool
writes_to_url(const char *target)
{
	return strncmp(target, "http://", strlen("http://")) == 0;
}

int
main(int argc, char **argv)
{
	enum { LINES = 256, FIRST, RATE, BYTES, IN_FLIGHT, MESSAGES };
	static const struct option known[] = {
		{ "lines", required_argument, NULL, LINES },
		{ "first", required_argument, NULL, FIRST },
		{ "rate", required_argument, NULL, RATE },
		{ "bytes", required_argument, NULL, BYTES },
		{ "in-flight", required_argument, NULL, IN_FLIGHT },
		{ "messages", no_argument, NULL, MESSAGES },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t *value = c == LINES ? &lines : c == FIRST ? &first : c == RATE ? &rate
		                : c == BYTES ? &bytes : c == IN_FLIGHT ? &in_flight : NULL;

		if (c == MESSAGES)
			writes_messages = true;
		else if (!value)
			misused("unknown option");
		else if (num_parse_u64(optarg, strlen(optarg), value) < 0)
			misused("not a number");
	}
	if (optind >= argc || (optind + 1 < argc && writes_to_url(argv[optind])))
		misused("files are needed, or one URL");
	if (bytes < LINE_BYTES_MIN || bytes > REQUEST_BYTES_MAX || first + lines > 1000000000 ||
	    in_flight < 1 || in_flight > 1000 || rate > 1000000)
		misused("a number is out of range");
	if (writes_to_url(argv[optind]))
		publish(argv[optind]);
	else
		write_files(argv + optind, (uint64_t)(argc - optind));
	return 0;
}
