#include "admin/command.h"

/* In the order of --help: looking, doing, setting up, ending. */
const struct command commands[] = {
	{
		.name = "status",
		.arguments = "",
		.help = "the instance: processes, restarts, runs, counters",
		.run = status_run,
	},
	{
		.name = "runs",
		.arguments = "[ID]",
		.help = "the registry of runs; one run in full",
		.most_arguments = 1,
		.options = runs_options,
		.run = runs_run,
	},
	{
		.name = "clients",
		.arguments = "[RUN]",
		.help = "who is connected, the slowest first",
		.most_arguments = 1,
		.options = clients_options,
		.run = clients_run,
	},
	{
		.name = "kick",
		.arguments = "CLIENT",
		.help = "end a client's stream",
		.most_arguments = 1,
		.notes = "CLIENT is a name that \"runstreamctl clients\" shows, such as 2-17. An EventSource\n"
		         "comes back by itself, and goes on where it was.",
		.run = kick_run,
	},
	{
		.name = "broadcast",
		.arguments = "",
		.help = "send an event to who watches a run's events, or all",
		.options = broadcast_options,
		.notes = "With --run, the event is recorded, and so sent, also to those who come later.\n"
		         "With --all, it goes to all who watch recorded events now, without an id.",
		.run = broadcast_run,
	},
	{
		.name = "exec",
		.arguments = "-- COMMAND [ARGUMENT...]",
		.help = "run a command as a run, and exit as it does",
		.most_arguments = -1,
		.options = exec_options,
		.notes = "Exit status: the command's own; 127 if it was not found, 126 if it could not be\n"
		         "executed. If a signal killed it, the same signal ends runstreamctl.",
		.run = exec_run,
	},
	{
		.name = "tail",
		.arguments = "ID|URL",
		.help = "read a run's stream in the terminal",
		.most_arguments = 1,
		.options = tail_options,
		.notes = "Lines of stdout go to stdout, those of stderr to stderr; with --json, each\n"
		         "event is a line of JSON. A URL is that of any stream, such as\n"
		         "http://localhost/api/v1/runs/ID/stream; a lost connection is made again, and\n"
		         "no line is lost or repeated. Ends with the run; exit status 0 when it was read\n"
		         "to its end.",
		.run = tail_run,
	},
	{
		.name = "nginx-config",
		.arguments = "[upstream|locations]",
		.help = "the include files for nginx",
		.most_arguments = 1,
		.options = nginx_config_options,
		.notes = "upstream is to be included in http{}, locations in server{}; both are printed\n"
		         "when none is named.",
		.run = nginx_config_run,
	},
	{
		.name = "check-config",
		.arguments = "",
		.help = "say what is wrong with the configuration",
		.run = check_config_run,
	},
	{
		.name = "reload",
		.arguments = "",
		.help = "have the instance read its configuration anew",
		.run = reload_run,
	},
	{
		.name = "drain",
		.arguments = "[WORKER]",
		.help = "replace a worker, or all one after another",
		.most_arguments = 1,
		.notes = "WORKER is a number, such as 2. Others take its new requests, its streams are\n"
		         "ended one by one over server.drain_ms and come back elsewhere, and then it is\n"
		         "started anew.",
		.run = drain_run,
	},
	{
		.name = "stop",
		.arguments = "",
		.help = "stop the instance, and wait until it is down",
		.run = stop_run,
	},
};

size_t
command_count(void)
{
	return sizeof(commands) / sizeof(commands[0]);
}
