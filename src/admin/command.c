#include "admin/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/nearest.h"
#include "base/num.h"
#include "base/option_mistake.h"
#include "conf/conf.h"
#include "config.h"

#define PROGRAM "runstreamctl"

/* What getopt_long(3) returns for an option: none of these is a letter. */
enum {
	OPTION_GLOBAL = 256, /* + the index in command_globals */
	OPTION_OWN = 512,    /* + the index in the command's options */
};

/* --- messages --------------------------------------------------------------------------------- */

static void say(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static void
say(const char *format, va_list args)
{
	fputs(PROGRAM ": ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int
command_failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return COMMAND_FAILED;
}

int
command_misused(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return COMMAND_MISUSED;
}

void
command_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

/* --- what commands share ------------------------------------------------------------------------ */

const char *
call_option(const struct call *call, const char *name)
{
	const struct command_option *own = call->command->options;
	size_t i = 0;

	while (own[i].name && strcmp(own[i].name, name) != 0)
		i++;
	must(own[i].name);
	return call->options[i];
}

int
call_settings(const struct call *call, struct settings *ret_settings)
{
	const struct conf_flag flags[] = {
		{ "--runtime-dir", "server.runtime_dir", call->runtime_dir },
		{ "--runs-dir", "storage.runs_dir", call->runs_dir },
	};
	const struct conf_sources sources = {
		.file = call->config_path,
		.environment = environ,
		.flags = flags,
		.flag_count = sizeof(flags) / sizeof(flags[0]),
	};
	char error[CONF_ERROR_BYTES];

	if (conf_load(&sources, ret_settings, error) < 0) {
		command_failed("%s", error);
		return -1;
	}
	return 0;
}

/* https://no-color.org: a variable that is not empty. */
static bool
wants_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!no_color || !*no_color) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* The width of the terminal; 0 where there is none, or all is to be shown. */
static size_t
wanted_width(const struct call *call)
{
	const struct command_option *own = call->command->options;
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };
	uint64_t width;

	for (size_t i = 0; own && own[i].name; i++)
		if (strcmp(own[i].name, "full") == 0 && call->options[i])
			return 0;
	if (!isatty(STDOUT_FILENO))
		return 0;
	if (columns && num_parse_u64(columns, strlen(columns), &width) == 0)
		return width;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

struct output *
call_output(const struct call *call)
{
	enum output_format text = wants_colours() ? OUTPUT_COLOURED : OUTPUT_TEXT;
	struct output *output;

	if (output_new(stdout, call->is_json ? OUTPUT_JSON : text, &output) < 0) {
		command_failed("out of memory");
		return NULL;
	}
	output_set_width(output, wanted_width(call));
	return output;
}

int
call_output_end(struct output **output)
{
	int r = output_finish(output);

	if (r < 0)
		return command_failed("cannot write the answer: %s", strerror(-r));
	return COMMAND_DONE;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < command_count(); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
unknown_command(const char *name)
{
	const char *names[32], *near;
	size_t count = command_count();

	must(count <= sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < count; i++)
		names[i] = commands[i].name;
	near = nearest_word(name, names, count);
	if (near)
		return command_misused("there is no command \"%s\"; did you mean \"%s\"?", name, near);
	return command_misused("there is no command \"%s\"; --help lists them", name);
}

/* Who is not told the right option is told where they all are. */
static int
misused_option(const struct call *call, const char *sentence)
{
	if (!call->command || strstr(sentence, "did you mean"))
		return command_misused("%s", sentence);
	return command_misused("%s; see \"" PROGRAM " %s --help\"", sentence, call->command->name);
}

/* Adds what getopt_long(3) is to know of options: returns how many they are. */
static size_t
add_options(const struct command_option *from, int first, struct option *to, struct buf *letters)
{
	size_t count = 0;

	for (; from && from[count].name; count++) {
		to[count] = (struct option){
			.name = from[count].name,
			.has_arg = from[count].argument ? required_argument : no_argument,
			.val = first + (int)count,
		};
		if (from[count].letter)
			buf_printf(letters, "%c%s", from[count].letter, from[count].argument ? ":" : "");
	}
	return count;
}

static int
index_of_letter(const struct command_option *options, int letter)
{
	for (int i = 0; options && options[i].name; i++)
		if (options[i].letter == letter)
			return i;
	return -1;
}

/* Returns -1 to go on, or an exit status. */
static int
take_global(struct call *call, int index)
{
	switch ((enum command_global)index) {
	case COMMAND_CONFIG:
		call->config_path = optarg;
		break;
	case COMMAND_RUNTIME_DIR:
		call->runtime_dir = optarg;
		break;
	case COMMAND_RUNS_DIR:
		call->runs_dir = optarg;
		break;
	case COMMAND_JSON:
		call->is_json = true;
		break;
	case COMMAND_HELP:
		command_help(stdout, call->command);
		return COMMAND_DONE;
	case COMMAND_VERSION:
		printf(PROGRAM " (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
		return COMMAND_DONE;
	case COMMAND_GLOBALS:
		break;
	}
	return -1;
}

static int
take_option(struct call *call, int option)
{
	const struct command_option *own = call->command ? call->command->options : NULL;
	int index = index_of_letter(own, option);

	if (option < OPTION_GLOBAL)
		option = index >= 0 ? OPTION_OWN + index
		                    : OPTION_GLOBAL + index_of_letter(command_globals, option);
	if (option < OPTION_OWN)
		return take_global(call, option - OPTION_GLOBAL);
	must(option < OPTION_OWN + COMMAND_OPTIONS_MAX);
	call->options[option - OPTION_OWN] = optarg ? optarg : "";
	return -1;
}

/*
 * Takes options: with "+" up to the first word that is none. Returns -1 to go on from optind, or
 * an exit status.
 */
static int
take_options(struct call *call, const char *order, int argc, char **argv)
{
	struct option options[COMMAND_GLOBALS + COMMAND_OPTIONS_MAX + 1] = { 0 };
	struct buf letters = BUF_INIT;
	char sentence[OPTION_MISTAKE_BYTES];
	size_t count;
	int option, status = -1;

	buf_printf(&letters, "%s:", order);
	count = add_options(command_globals, OPTION_GLOBAL, options, &letters);
	if (call->command)
		count += add_options(call->command->options, OPTION_OWN, options + count, &letters);
	must(count < sizeof(options) / sizeof(options[0]));
	opterr = 0;
	optind = 0; /* GNU: begin anew, and believe the letters anew */
	while (status < 0 &&
	       (option = getopt_long(argc, argv, buf_string(&letters), options, NULL)) != -1) {
		if (option == ':' || option == '?') {
			option_mistake(option, argv, options, sentence);
			status = misused_option(call, sentence);
		} else {
			status = take_option(call, option);
		}
	}
	buf_fini(&letters);
	return status;
}

static int
parse_and_run(int argc, char **argv)
{
	struct call call = { 0 };
	int status = take_options(&call, "+", argc, argv);

	if (status >= 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		command_help(stderr, NULL);
		return COMMAND_MISUSED;
	}
	call.command = find_command(argv[0]);
	if (!call.command)
		return unknown_command(argv[0]);

	/* argv[0] is the command's name now, which getopt passes over as it did the program's.
	 * Options may stand anywhere, unless what follows is a command with options of its own. */
	status = take_options(&call, call.command->most_arguments < 0 ? "+" : "", argc, argv);
	if (status >= 0)
		return status;
	call.arguments = argv + optind;
	call.argument_count = argc - optind;
	if (call.command->most_arguments >= 0 && call.argument_count > call.command->most_arguments)
		return command_misused("%s: \"%s\" is one argument too many", call.command->name,
		                       call.arguments[call.command->most_arguments]);
	return call.command->run(&call);
}

int
command_main(int argc, char **argv)
{
	int status;

	if (fd_open_standard() < 0)
		return COMMAND_FAILED;
	status = parse_and_run(argc, argv);
	/* What was printed past the writer, help and version, must have arrived as well. */
	if (fflush(stdout) == EOF && status == COMMAND_DONE)
		return command_failed("cannot write the answer: %s", strerror(errno));
	return status;
}
