#include "config.h"

#include "admin/tail.h"

#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/num.h"
#include "stream/channel.h"

enum { WAIT_MOST_S = 3600 }; /* as ?wait_s= has it */

const struct command_option tail_options[] = {
	{ "tail", "N", "begin with the last N lines of each file", 'n' },
	{ "lines", "N", "the same", 0 },
	{ "from", "start|end", "where to begin (default: start)", 0 },
	{ "follow", NULL, "wait for more, until the run ends (default)", 'f' },
	{ "no-follow", NULL, "end with what is there now", 0 },
	{ "streams", "NAMES", "stdout, stderr, or both with a comma (default)", 0 },
	{ "last-event-id", "ID", "go on behind the event with this id", 0 },
	{ "wait", "SECONDS", "so long for a run that is yet to come", 0 },
	{ "timestamps", NULL, "put its time before each line", 't' },
	{ "prefix", NULL, "put its run's id before each line", 0 },
	{ "exit-status", NULL, "exit as the run did", 0 },
	{ 0 },
};

bool
tail_is_url(const char *subject)
{
	return strstr(subject, "://") != NULL;
}

static void
reader_left(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	/* As if it had been written to. Who ignores the signal is told by the exit status. */
	raise(SIGPIPE);
	_exit(COMMAND_FAILED);
}

void
tail_watch_stdout(struct loop *loop, struct loop_fd *watch)
{
	/* A file or /dev/null cannot be watched, and has no reader. */
	(void)loop_fd_add(loop, watch, STDOUT_FILENO, EPOLLERR, reader_left, NULL);
}

int
tail_end_status(const struct tail_options *options, const struct tail_printer *printer)
{
	if (!options->exits_as_run || printer->is_completed)
		return COMMAND_DONE;
	/* A run that did not complete is no success, whatever it says of its exit code. */
	return printer->has_exit_code && printer->exit_code > 0 && printer->exit_code <= 255
	               ? printer->exit_code
	               : COMMAND_FAILED;
}

/* 0, or COMMAND_MISUSED after a message. */
static int
take_options(const struct call *call, struct tail_options *o)
{
	const char *tail = call_option(call, "tail"), *lines = call_option(call, "lines");
	const char *wait = call_option(call, "wait");
	bool follow = call_option(call, "follow"), no_follow = call_option(call, "no-follow");

	*o = (struct tail_options){
		.subject = call->arguments[0],
		.lines = tail ? tail : lines,
		.from = call_option(call, "from"),
		.streams = call_option(call, "streams"),
		.last_event_id = call_option(call, "last-event-id"),
		.files = CHANNEL_BOTH,
		.follows = !no_follow,
		.exits_as_run = call_option(call, "exit-status"),
	};
	if (call->argument_count != 1)
		return command_misused("tail: of which run? The id of one, or the URL of a stream");
	if (tail_is_url(o->subject) && strncasecmp(o->subject, "http://", 7) != 0 &&
	    strncasecmp(o->subject, "https://", 8) != 0)
		return command_misused("tail: %s: a URL begins with http:// or https://", o->subject);
	if (tail && lines)
		return command_misused("tail: --tail and --lines are the same option");
	if (follow && no_follow)
		return command_misused("tail: --follow and --no-follow exclude each other");
	if (o->from && strcmp(o->from, "end") == 0)
		o->from_end = true;
	else if (o->from && strcmp(o->from, "start") != 0)
		return command_misused("tail: --from takes start or end, not \"%s\"", o->from);
	if (o->lines && num_parse_u64(o->lines, strlen(o->lines), &o->tail_lines) < 0)
		return command_misused("tail: --%s takes a whole number, not \"%s\"", tail ? "tail" : "lines",
		                       o->lines);
	if (wait && (num_parse_u64(wait, strlen(wait), &o->wait_s) < 0 || o->wait_s > WAIT_MOST_S))
		return command_misused("tail: --wait takes whole seconds, at most %d", WAIT_MOST_S);
	if (o->streams && cursor_parse_files(o->streams, &o->files) < 0)
		return command_misused("tail: --streams takes stdout, stderr, or both with a comma");
	return 0;
}

int
tail_run(struct call *call)
{
	struct tail_printer printer;
	struct tail_options options;
	int status = take_options(call, &options);

	if (status)
		return status;
	if (tail_printer_init(&printer) < 0)
		return command_failed("out of memory");
	printer.is_json = call->is_json;
	printer.has_timestamps = call_option(call, "timestamps");
	printer.has_prefix = call_option(call, "prefix");
	if (!tail_is_url(options.subject))
		status = tail_local(call, &options, &printer);
	else
#ifdef HAVE_LIBCURL
		status = tail_url(&options, &printer);
#else
		status = command_failed("this runstreamctl was built without libcurl, and reads no URLs");
#endif
	tail_printer_fini(&printer);
	return status;
}
