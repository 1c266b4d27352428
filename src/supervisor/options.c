#include "supervisor/options.h"

#include <errno.h>
#include <getopt.h>

#include "base/option_mistake.h"

enum { OPTION_RUNS_DIR = 256, OPTION_RUNTIME_DIR, OPTION_WORKERS, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "config", required_argument, NULL, 'c' },
	{ "runs-dir", required_argument, NULL, OPTION_RUNS_DIR },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR },
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "test", no_argument, NULL, 't' },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

void
options_print_help(FILE *to)
{
	fputs("Usage: runstreamd [OPTION]…\n"
	      "Stream the output of runs as Server-Sent Events, behind nginx.\n"
	      "\n"
	      "  -f, --foreground       stay in the foreground\n"
	      "  -c, --config FILE      read FILE; default: " CONF_DEFAULT_FILE ", if there is one\n"
	      "      --runs-dir DIR     the directory of the runs\n"
	      "      --runtime-dir DIR  the directory of sockets, pid file and lock\n"
	      "      --workers N        the number of worker processes\n"
	      "  -t, --test             check the configuration, and end\n"
	      "      --help             show this, and end\n"
	      "      --version          show the version, and end\n"
	      "\n"
	      "See runstreamd(8) and runstream.yaml(5).\n",
	      to);
}

static int
misused(void)
{
	fputs("Try 'runstreamd --help' for more information.\n", stderr);
	return -EINVAL;
}

int
options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = {
		.flags = { { "--runs-dir", "storage.runs_dir", NULL },
		           { "--runtime-dir", "server.runtime_dir", NULL },
		           { "--workers", "server.workers", NULL } },
	};
	char sentence[OPTION_MISTAKE_BYTES];
	int option;

	opterr = 0;
	optind = 0; /* from the start, also when this is not the first time (glibc) */
	while ((option = getopt_long(argc, argv, ":fc:t", long_options, NULL)) != -1)
		switch (option) {
		case 'f':
			options.foreground = true;
			break;
		case 'c':
			options.file = optarg;
			break;
		case OPTION_RUNS_DIR:
		case OPTION_RUNTIME_DIR:
		case OPTION_WORKERS:
			options.flags[option - OPTION_RUNS_DIR].value = optarg;
			break;
		case 't':
			options.test = true;
			break;
		case OPTION_HELP:
			options.help = true;
			break;
		case OPTION_VERSION:
			options.version = true;
			break;
		default:
			option_mistake(option, argv, long_options, sentence);
			fprintf(stderr, "runstreamd: %s\n", sentence);
			return misused();
		}
	if (optind < argc) {
		fprintf(stderr, "runstreamd: there is no use for \"%s\"\n", argv[optind]);
		return misused();
	}
	*ret_options = options;
	return 0;
}
