#include "admin/command.h"

#include <string.h>

#include "base/must.h"
#include "conf/conf.h"
#include "config.h"

/* Texts begin in one column, and end before the 80th: tests hold that. */
enum { TEXT_COLUMN = 28, SYNOPSIS_BYTES = 64 };

const struct command_option command_globals[COMMAND_GLOBALS + 1] = {
	[COMMAND_CONFIG] = { "config", "FILE", "configuration file", 'c' },
	[COMMAND_RUNTIME_DIR] = { "runtime-dir", "DIR", "runtime directory of the instance", 0 },
	[COMMAND_RUNS_DIR] = { "runs-dir", "DIR", "where runs lie (default: as the instance says)", 0 },
	[COMMAND_JSON] = { "json", NULL, "answer in JSON", 0 },
	[COMMAND_HELP] = { "help", NULL, "show this, or the help of a command", 'h' },
	[COMMAND_VERSION] = { "version", NULL, "show the version", 0 },
};

/* Two columns; what is too wide for the first has a line of its own. */
static void
put_row(FILE *to, const char *synopsis, const char *text)
{
	if (strlen(synopsis) + 2 > TEXT_COLUMN - 1)
		fprintf(to, "  %s\n%*s%s\n", synopsis, TEXT_COLUMN, "", text);
	else
		fprintf(to, "  %-*s%s\n", TEXT_COLUMN - 2, synopsis, text);
}

static void
put_options(FILE *to, const struct command_option *options)
{
	for (const struct command_option *o = options; o->name; o++) {
		char letter[] = { '-', o->letter, ',', '\0' }, synopsis[SYNOPSIS_BYTES];

		snprintf(synopsis, sizeof(synopsis), "%-3s --%s%s%s", o->letter ? letter : "", o->name,
		         o->argument ? " " : "", o->argument ? o->argument : "");
		put_row(to, synopsis, o->help);
	}
}

static void
put_command(FILE *to, const struct command *command)
{
	fprintf(to, "Usage: runstreamctl [OPTION...] %s%s%s%s\n", command->name,
	        command->options ? " [OPTION...]" : "", *command->arguments ? " " : "",
	        command->arguments);
	fprintf(to, "%s\n\n", command->help);
	if (command->options) {
		fprintf(to, "Options:\n");
		put_options(to, command->options);
		fputc('\n', to);
	}
	if (command->notes)
		fprintf(to, "%s\n\n", command->notes);
	fprintf(to, "Options of every command:\n");
	put_options(to, command_globals);
	fprintf(to, "\nSee runstreamctl(1).\n");
}

void
command_help(FILE *to, const struct command *command)
{
	if (command) {
		put_command(to, command);
		return;
	}
	fprintf(to, "Usage: runstreamctl [OPTION...] COMMAND [ARGUMENT...]\n"
	            "Look at and steer a runstream instance, and run commands as runs.\n\n"
	            "Commands:\n");
	for (size_t i = 0; i < command_count(); i++) {
		char synopsis[SYNOPSIS_BYTES];

		snprintf(synopsis, sizeof(synopsis), "%s%s%s", commands[i].name,
		         *commands[i].arguments ? " " : "", commands[i].arguments);
		put_row(to, synopsis, commands[i].help);
	}
	fprintf(to, "\nOptions of every command, before or after its name:\n");
	put_options(to, command_globals);
	fprintf(to, "\n\"runstreamctl COMMAND --help\" has a command's own options.\n"
	            "Exit status: 0 done, 1 failed, 2 misused. See runstreamctl(1).\n");
}
