#include "admin/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/must.h"
#include "base/nearest.h"
#include "base/option_mistake.h"
#include "conf/conf.h"
#include "config.h"

#define PROGRAM "runstreamctl"

enum {
	OPTION_RUNTIME_DIR = 256,
	OPTION_RUNS_DIR,
	OPTION_JSON,
	OPTION_VERSION,
	OPTION_OWN, /* + the index in the command's options */
};

/* Understood before and after the command's name, so that `runs --json` does what it says. */
static const struct option global_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR },
	{ "runs-dir", required_argument, NULL, OPTION_RUNS_DIR },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
};
enum { GLOBAL_COUNT = sizeof(global_options) / sizeof(global_options[0]) };

static const char global_help[] =
	"  -c, --config FILE      configuration file (default: " CONF_DEFAULT_FILE ")\n"
	"      --runtime-dir DIR  runtime directory of the instance\n"
	"      --runs-dir DIR     where runs lie (default: the instance's, else the configuration's)\n"
	"      --json             answer in JSON\n"
	"  -h, --help             show this, or the help of a command\n"
	"      --version          show the version\n";

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

/* --- help ------------------------------------------------------------------------------------- */

static void
help_options(FILE *to, int indent, const struct command_option *options)
{
	for (const struct command_option *o = options; o && o->name; o++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s%s%s", o->name, o->argument ? " " : "",
		         o->argument ? o->argument : "");
		fprintf(to, "%*s%-*s %s\n", indent, "", 24 - indent, text, o->help);
	}
}

/* Of runstreamctl (command NULL) or of one command. */
static void
show_help(FILE *to, const struct command *command)
{
	if (command) {
		fprintf(to, "Usage: " PROGRAM " [OPTION...] %s%s%s%s\n%s\n\n", command->name,
		        command->options ? " [OPTION...]" : "", *command->arguments ? " " : "",
		        command->arguments, command->help);
		if (command->options) {
			help_options(to, 6, command->options);
			fputc('\n', to);
		}
		if (command->notes)
			fprintf(to, "%s\n\n", command->notes);
		fprintf(to, "Options of every command:\n%s", global_help);
		return;
	}
	fprintf(to, "Usage: " PROGRAM " [OPTION...] COMMAND [ARGUMENT...]\n"
	            "Look at and steer a runstream instance, and run commands as runs.\n\n");
	for (size_t i = 0; i < command_count(); i++) {
		char synopsis[64];

		snprintf(synopsis, sizeof(synopsis), "%s%s%s", commands[i].name,
		         *commands[i].arguments ? " " : "", commands[i].arguments);
		if (strlen(synopsis) > 22)
			fprintf(to, "  %s\n  %-22s %s\n", synopsis, "", commands[i].help);
		else
			fprintf(to, "  %-22s %s\n", synopsis, commands[i].help);
		help_options(to, 4, commands[i].options);
	}
	fprintf(to, "\n%s\nExit status: 0 done, 1 failed, 2 misused. See " PROGRAM "(1).\n",
	        global_help);
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

struct output *
call_output(const struct call *call)
{
	struct output *output;

	if (output_new(stdout, call->is_json ? OUTPUT_JSON : OUTPUT_TEXT, &output) < 0) {
		command_failed("out of memory");
		return NULL;
	}
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

/*
 * Takes options: with letters beginning with '+', up to the first word that is none. Returns -1
 * to go on from optind, or an exit status.
 */
static int
take_options(struct call *call, const char *letters, int argc, char **argv)
{
	struct option options[GLOBAL_COUNT + COMMAND_OPTIONS_MAX + 1] = { 0 };
	const struct command_option *own = call->command ? call->command->options : NULL;
	char sentence[OPTION_MISTAKE_BYTES];
	int option;

	memcpy(options, global_options, sizeof(global_options));
	for (size_t i = 0; own && own[i].name; i++) {
		must(i < COMMAND_OPTIONS_MAX);
		options[GLOBAL_COUNT + i] = (struct option){
			.name = own[i].name,
			.has_arg = own[i].argument ? required_argument : no_argument,
			.val = OPTION_OWN + (int)i,
		};
	}
	opterr = 0;
	optind = 0; /* GNU: begin anew, and believe "letters" anew */
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (option) {
		case 'c':
			call->config_path = optarg;
			break;
		case OPTION_RUNTIME_DIR:
			call->runtime_dir = optarg;
			break;
		case OPTION_RUNS_DIR:
			call->runs_dir = optarg;
			break;
		case OPTION_JSON:
			call->is_json = true;
			break;
		case 'h':
			show_help(stdout, call->command);
			return COMMAND_DONE;
		case OPTION_VERSION:
			printf(PROGRAM " (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
			return COMMAND_DONE;
		case ':':
		case '?':
			option_mistake(option, argv, options, sentence);
			return misused_option(call, sentence);
		default:
			must(option >= OPTION_OWN && option < OPTION_OWN + COMMAND_OPTIONS_MAX);
			call->options[option - OPTION_OWN] = optarg ? optarg : "";
		}
	}
	return -1;
}

static int
parse_and_run(int argc, char **argv)
{
	struct call call = { 0 };
	int status = take_options(&call, "+:c:h", argc, argv);

	if (status >= 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		show_help(stderr, NULL);
		return COMMAND_MISUSED;
	}
	call.command = find_command(argv[0]);
	if (!call.command)
		return unknown_command(argv[0]);

	/* argv[0] is the command's name now, which getopt passes over as it did the program's.
	 * Options may stand anywhere, unless what follows is a command with options of its own. */
	status = take_options(&call, call.command->most_arguments < 0 ? "+:c:h" : ":c:h", argc, argv);
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
