/*
 * The commands of runstreamctl, and what they share: the options, the settings, and messages in
 * one style. Each command is one function in a file of its own and one row in commands.c, from
 * which the parser, --help and the suggestions are made.
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "admin/output.h"
#include "conf/settings.h"

/* Exit statuses. exec alone passes on its command's instead. */
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_MISUSED = 2 };

struct command_option {
	const char *name;     /* long, without the dashes; NULL ends a list */
	const char *argument; /* what --help calls its argument; NULL: takes none */
	const char *help;     /* begins small, ends without a full stop */
	char letter;          /* or 0 */
};

enum { COMMAND_OPTIONS_MAX = 16 };

struct command;

/* One call of runstreamctl. Everything is borrowed from argv but what loading made. */
struct call {
	const struct command *command;
	const char *config_path; /* -c, or NULL: the default file, if it is there */
	const char *runtime_dir; /* --runtime-dir, or NULL */
	const char *runs_dir;    /* --runs-dir, or NULL */
	bool is_json;
	const char *options[COMMAND_OPTIONS_MAX]; /* by index in command->options; "" without argument */
	int argument_count;      /* what follows the options */
	char **arguments;        /* NULL-terminated, argv's own */
};

/* Returns an exit status. */
typedef int command_fn(struct call *call);

struct command {
	const char *name;
	const char *arguments; /* synopsis after the options; "" for none */
	const char *help;      /* one line, without a full stop */
	int most_arguments;    /* -1: any number */
	const struct command_option *options; /* or NULL */
	const char *notes;     /* more for its own --help, or NULL */
	command_fn *run;
};

/* The table, and how many there are. */
extern const struct command commands[];
size_t command_count(void);

/* Those of every command, understood before and after its name: `runs --json` does what it says. */
enum command_global {
	COMMAND_CONFIG,
	COMMAND_RUNTIME_DIR,
	COMMAND_RUNS_DIR,
	COMMAND_JSON,
	COMMAND_HELP,
	COMMAND_VERSION,
	COMMAND_GLOBALS,
};
extern const struct command_option command_globals[COMMAND_GLOBALS + 1];

/* Prints the help of runstreamctl (command NULL), or of one command. */
void command_help(FILE *to, const struct command *command);

/* Parses argv and runs the command; returns the exit status of the process. */
int command_main(int argc, char **argv);

/* --- for commands ----------------------------------------------------------------------------- */

/* The argument of a command's own option, "" if it takes none, NULL if it was not given. */
const char *call_option(const struct call *call, const char *name);

/*
 * Loads the settings: file, environment, and the call's flags. Says what is wrong, and returns
 * -1, if the file is bad. The caller frees them with settings_fini().
 */
int call_settings(const struct call *call, struct settings *ret_settings);

/* Begins the answer on stdout in the format that was asked for. NULL after a message. */
struct output *call_output(const struct call *call);
/* Ends it; COMMAND_DONE, or COMMAND_FAILED after a message when stdout could not be written. */
int call_output_end(struct output **output);

/* Writes "runstreamctl: <sentence>" to stderr; returns COMMAND_FAILED, COMMAND_MISUSED. */
int command_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
int command_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same without an end. */
void command_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The rows of the table, one file each. */
int status_run(struct call *call);
int runs_run(struct call *call);
int clients_run(struct call *call);
int kick_run(struct call *call);
int broadcast_run(struct call *call);
int exec_run(struct call *call);
int tail_run(struct call *call);
int nginx_config_run(struct call *call);
int check_config_run(struct call *call);
int reload_run(struct call *call);
int drain_run(struct call *call);
int stop_run(struct call *call);

extern const struct command_option broadcast_options[];
extern const struct command_option exec_options[];
extern const struct command_option tail_options[];
extern const struct command_option runs_options[];
extern const struct command_option clients_options[];
extern const struct command_option nginx_config_options[];

#endif
