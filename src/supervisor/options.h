/* The command line of runstreamd. */
#ifndef SUPERVISOR_OPTIONS_H
#define SUPERVISOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/conf.h"

enum { OPTIONS_FLAGS = 3 };

struct options {
	bool foreground, test, help, version;
	const char *file;                     /* --config, borrowed from argv, or NULL */
	struct conf_flag flags[OPTIONS_FLAGS]; /* values borrowed from argv */
};

/* 0, or -EINVAL after a sentence on stderr: exit status 2. */
int options_parse(int argc, char **argv, struct options *ret_options);

void options_print_help(FILE *to);

#endif
