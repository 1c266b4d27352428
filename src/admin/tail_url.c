/*
 * tail of a URL: a client as EventSource is one (WHATWG HTML, section 9.2), that comes back with
 * the last id after a lost connection, and says what it misses. Where it differs, it is because
 * somebody waits at a terminal: what never answered is not tried again, and a run that ended is
 * the end.
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "admin/http_get.h"
#include "admin/printable.h"
#include "admin/tail.h"

enum {
	RETRY_MS = 3000,        /* until the server says one */
	RETRY_LEAST_MS = 100,
	RETRY_MOST_MS = 30000,  /* of our own accord */
	FAILURES_TOLD = 2,      /* a worker that was drained is no news */
	QUIET_MS = 1500,        /* without following, what is there has come by then */
	ERROR_MOST_BYTES = 4096,
};

struct tail_url {
	const struct tail_options *options;
	struct tail_printer *printer;
	struct sse_reader reader;
	struct loop *loop;
	struct http_get *get;
	struct loop_fd stdout_watch;
	struct loop_timer again, quiet;
	char *url;
	bool is_of_one_run;   /* `complete` is its end */
	bool was_answered;    /* with a stream, at some time */
	bool has_events;      /* on this connection */
	bool is_told;         /* that it is lost */
	unsigned failures;    /* in a row */
	int error;            /* of reading or writing: -errno */
	int status;           /* the exit status, once it is over */
	struct buf body;      /* of an answer that is no stream */
};

static void
finish(struct tail_url *t, int status)
{
	t->status = status;
	loop_stop(t->loop);
}

/* --- a connection --------------------------------------------------------------------------------- */

static void start(void *arg);

static void
fell_quiet(void *arg)
{
	finish(arg, COMMAND_DONE);
}

static void
expect_quiet(struct tail_url *t)
{
	if (!t->options->follows)
		loop_timer_set(t->loop, &t->quiet, QUIET_MS, fell_quiet, t);
}

static bool
is_stream(const struct http_answer *answer)
{
	static const char type[] = "text/event-stream";

	return answer->status == 200 && strncasecmp(answer->content_type, type, sizeof(type) - 1) == 0 &&
	       strchr("; ", answer->content_type[sizeof(type) - 1]);
}

static int
take_event(void *arg, const struct sse_event *event)
{
	struct tail_url *t = arg;

	t->has_events = true;
	return tail_printer_event(t->printer, event);
}

static bool
take_bytes(void *arg, const struct http_answer *answer, const char *bytes, size_t length)
{
	struct tail_url *t = arg;

	if (!is_stream(answer)) {
		/* What is wrong is said in the first of it; of what is no error, nothing is wanted. */
		if (t->body.length_bytes < ERROR_MOST_BYTES)
			buf_append(&t->body, bytes, length < ERROR_MOST_BYTES ? length : ERROR_MOST_BYTES);
		return answer->status >= 300;
	}
	if (t->is_told)
		command_warn("connected again");
	t->is_told = false;
	t->was_answered = true;
	t->error = sse_reader_read(&t->reader, bytes, length);
	if (!t->error)
		t->error = tail_printer_flush(t->printer);
	expect_quiet(t);
	return t->error == 0;
}

/* --- its end ------------------------------------------------------------------------------------- */

/* The sentence of an error in JSON, or none. The caller frees it. */
static char *
sentence_of(struct buf *body)
{
	struct json_object *answer = json_tokener_parse(buf_string(body)), *error, *message;
	char *sentence = NULL;

	if (json_object_object_get_ex(answer, "error", &error) &&
	    json_object_object_get_ex(error, "message", &message))
		sentence = strdup(json_object_get_string(message));
	json_object_put(answer);
	return sentence;
}

/* Answers that will not be another one by being asked for again. */
static void
refused(struct tail_url *t, const struct http_answer *answer)
{
	char *sentence = sentence_of(&t->body);
	struct buf text = BUF_INIT;

	if (answer->status == 200)
		buf_printf(&text, "%s: is no event stream, but %s", t->options->subject,
		           *answer->content_type ? answer->content_type : "of no type");
	else
		buf_printf(&text, "%s: %s (HTTP %ld)", t->options->subject,
		           sentence ? sentence : "was not answered with a stream", answer->status);
	printable_warn(buf_string(&text));
	buf_fini(&text);
	free(sentence);
	finish(t, COMMAND_FAILED);
}

static int64_t
random_below(int64_t limit)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
		value = 0;
	return limit > 0 ? value % limit : 0;
}

/*
 * The server's time, and twice as long after each failure in a row; spread, since whoever was
 * connected to what has gone comes back.
 */
static int64_t
delay_ms(const struct tail_url *t, const struct http_answer *answer)
{
	int64_t own_ms = t->reader.retry_ms >= 0 ? t->reader.retry_ms : RETRY_MS, ms = own_ms;

	if (ms < RETRY_LEAST_MS)
		ms = RETRY_LEAST_MS;
	for (unsigned i = 1; i < t->failures && ms < RETRY_MOST_MS; i++)
		ms *= 2;
	if (ms > RETRY_MOST_MS)
		ms = own_ms > RETRY_MOST_MS ? own_ms : RETRY_MOST_MS;
	if (ms < answer->retry_after_s * 1000)
		ms = answer->retry_after_s * 1000;
	return t->failures > 0 ? ms + random_below(ms / 4) : ms;
}

static void
try_again(struct tail_url *t, const struct http_answer *answer, const char *problem)
{
	int64_t ms;

	t->failures = t->has_events && t->printer->last != TAIL_LAST_REFUSED ? 0 : t->failures + 1;
	ms = delay_ms(t, answer);
	if (t->printer->last == TAIL_LAST_REFUSED && t->has_events) {
		command_warn("trying again in %" PRId64 " s", (ms + 999) / 1000);
	} else if (t->failures >= FAILURES_TOLD && !t->is_told) {
		struct buf text = BUF_INIT;

		buf_printf(&text, "the connection is lost (%s), and tried again until it is there",
		           problem ? problem : "it ends as soon as it begins");
		printable_warn(buf_string(&text));
		buf_fini(&text);
		t->is_told = true;
	}
	loop_timer_set(t->loop, &t->again, ms, start, t);
}

static bool
comes_back(long status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static void
take_end(void *arg, const struct http_answer *answer, const char *problem)
{
	struct tail_url *t = arg;
	enum tail_last last = t->has_events ? t->printer->last : TAIL_LAST_OTHER;
	char code[64];

	loop_timer_stop(t->loop, &t->quiet);
	if (t->error) {
		finish(t, t->error == -EMSGSIZE
		                  ? command_failed("%s: an event is too large", t->options->subject)
		                  : command_failed("standard output: %s", strerror(-t->error)));
	} else if (answer->status == 204) {
		finish(t, tail_end_status(t->options, t->printer));
	} else if (last == TAIL_LAST_END && t->is_of_one_run) {
		finish(t, tail_end_status(t->options, t->printer));
	} else if ((last == TAIL_LAST_GONE || last == TAIL_LAST_FAILURE) && t->is_of_one_run) {
		finish(t, COMMAND_FAILED);
	} else if (is_stream(answer)) {
		try_again(t, answer, problem);
	} else if (comes_back(answer->status)) {
		snprintf(code, sizeof(code), "HTTP %ld", answer->status);
		try_again(t, answer, code);
	} else if (answer->status != 0) {
		refused(t, answer);
	} else if (!t->was_answered) {
		printable_warn(problem ? problem : "no answer");
		finish(t, COMMAND_FAILED);
	} else {
		try_again(t, answer, problem);
	}
}

/* --- the request ------------------------------------------------------------------------------------ */

static void
start(void *arg)
{
	struct tail_url *t = arg;
	const char *id = sse_reader_last_id(&t->reader);
	const char *headers[] = { "Accept: text/event-stream", "Cache-Control: no-store", NULL, NULL };
	char *last = NULL;
	int error = 0;

	sse_reader_restart(&t->reader);
	tail_printer_come_back(t->printer);
	t->has_events = false;
	buf_clear(&t->body);
	if (*id && asprintf(&last, "Last-Event-ID: %s", id) < 0)
		error = -ENOMEM;
	headers[2] = last;
	if (!error)
		error = http_get_start(t->get, t->url, headers);
	free(last);
	if (error)
		finish(t, command_failed("cannot ask for %s: %s", t->options->subject, strerror(-error)));
}

static CURLUcode
add_parameter(CURLU *url, const char *name, const char *value)
{
	char *text;
	CURLUcode code;

	if (!value)
		return CURLUE_OK;
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return CURLUE_OUT_OF_MEMORY;
	code = curl_url_set(url, CURLUPART_QUERY, text, CURLU_APPENDQUERY | CURLU_URLENCODE);
	free(text);
	return code;
}

/* …/runs/ID/stream: there, `complete` is followed by nothing. Streams of many runs go on. */
static bool
is_path_of_one_run(const char *path)
{
	const char *end = strrchr(path, '/'), *id, *runs;

	if (!end || strcmp(end, "/stream") != 0)
		return false;
	id = memrchr(path, '/', (size_t)(end - path));
	runs = id ? memrchr(path, '/', (size_t)(id - path)) : NULL;
	return runs && id - runs == strlen("/runs") && memcmp(runs, "/runs", strlen("/runs")) == 0;
}

static CURLUcode
make_url(struct tail_url *t)
{
	const struct tail_options *o = t->options;
	CURLU *url = curl_url();
	char wait[24], *path = NULL, *whole = NULL;
	CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, o->subject, 0) : CURLUE_OUT_OF_MEMORY;

	snprintf(wait, sizeof(wait), "%" PRIu64, o->wait_s);
	if (code == CURLUE_OK)
		code = add_parameter(url, "tail", o->lines);
	if (code == CURLUE_OK)
		code = add_parameter(url, "from", o->from);
	if (code == CURLUE_OK)
		code = add_parameter(url, "streams", o->streams);
	if (code == CURLUE_OK)
		code = add_parameter(url, "wait_s", o->wait_s > 0 ? wait : NULL);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_PATH, &path, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_URL, &whole, 0);
	if (code == CURLUE_OK) {
		t->is_of_one_run = is_path_of_one_run(path);
		t->url = strdup(whole);
		code = t->url ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
	}
	curl_free(path);
	curl_free(whole);
	curl_url_cleanup(url);
	return code;
}

int
tail_url(const struct tail_options *options, struct tail_printer *printer)
{
	static const struct http_get_handler handler = { .bytes = take_bytes, .end = take_end };
	struct tail_url t = { .options = options, .printer = printer, .status = COMMAND_FAILED };
	CURLUcode code = make_url(&t);
	int error;

	if (code != CURLUE_OK)
		return command_misused("tail: %s: %s", options->subject, curl_url_strerror(code));
	sse_reader_init(&t.reader, TAIL_EVENT_MOST_BYTES, take_event, &t);
	error = t.is_of_one_run || printer->is_json ? 0 : tail_printer_expect_repeats(printer);
	if (!error)
		error = loop_new(&t.loop);
	if (!error)
		error = http_get_new(t.loop, &handler, &t, &t.get);
	if (!error && options->last_event_id)
		error = sse_reader_set_last_id(&t.reader, options->last_event_id);
	if (!error) {
		tail_watch_stdout(t.loop, &t.stdout_watch);
		start(&t);
		error = loop_run(t.loop);
	}
	http_get_free(&t.get);
	loop_free(&t.loop);
	sse_reader_fini(&t.reader);
	buf_fini(&t.body);
	free(t.url);
	return error ? command_failed("cannot read %s: %s", options->subject, strerror(-error)) : t.status;
}
