#include "admin/command.h"

/* In the order of --help: looking, doing, setting up, ending. */
const struct command commands[] = {
	{
		.name = "status",
		.arguments = "",
		.help = "the instance: processes, uptime, restarts, counters",
		.run = status_run,
	},
	{
		.name = "runs",
		.arguments = "[ID]",
		.help = "the registry of runs; one run in full",
		.most_arguments = 1,
		.run = runs_run,
	},
	{
		.name = "clients",
		.arguments = "[RUN]",
		.help = "who is connected, to what, and how far behind; the slowest first",
		.most_arguments = 1,
		.run = clients_run,
	},
	{
		.name = "kick",
		.arguments = "CLIENT",
		.help = "end a client's stream",
		.most_arguments = 1,
		.notes = "CLIENT is a name that \"runstreamctl clients\" shows, such as 2-17. An EventSource comes\n"
		         "back by itself, and goes on where it was.",
		.run = kick_run,
	},
	{
		.name = "broadcast",
		.arguments = "",
		.help = "send an event to all clients of a run's events, or of all",
		.options = broadcast_options,
		.notes = "With --run, the event is recorded, and so sent, and sent again to those who come later.\n"
		         "With --all, it goes to all who watch recorded events now, without an id, and is gone.",
		.run = broadcast_run,
	},
	{
		.name = "exec",
		.arguments = "-- COMMAND [ARGUMENT...]",
		.help = "run a command as a run, pass its output on, exit as it does",
		.most_arguments = -1,
		.options = exec_options,
		.notes = "Exit status: the command's own; 127 if it was not found, 126 if it could not be\n"
		         "executed; if a signal killed it, the same signal ends runstreamctl.",
		.run = exec_run,
	},
	{
		.name = "tail",
		.arguments = "ID",
		.help = "read a run's stream in the terminal",
		.most_arguments = 1,
		.options = tail_options,
		.notes = "Lines of stdout go to stdout, those of stderr to stderr; with --json each event is\n"
		         "one line of JSON. Ends with the run: exit status 0 when it was read to its end.",
		.run = tail_run,
	},
	{
		.name = "nginx-config",
		.arguments = "[upstream|locations]",
		.help = "the include files for nginx: one for http{}, one for server{}",
		.most_arguments = 1,
		.options = nginx_config_options,
		.run = nginx_config_run,
	},
	{
		.name = "check-config",
		.arguments = "",
		.help = "read the configuration, and say what is wrong with it",
		.run = check_config_run,
	},
	{
		.name = "reload",
		.arguments = "",
		.help = "have the instance read its configuration anew; no stream is cut",
		.run = reload_run,
	},
	{
		.name = "drain",
		.arguments = "[WORKER]",
		.help = "replace a worker, or all one after another, ending streams over a time",
		.most_arguments = 1,
		.notes = "WORKER is a number, such as 2. Others take its new requests, its streams are ended one by\n"
		         "one over server.drain_ms and come back elsewhere, and then it is started anew.",
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
