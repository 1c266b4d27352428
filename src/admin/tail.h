/*
 * What the two kinds of tail share: of a run of this machine's instance, read from its files
 * (tail_local.c), and of a URL (tail_url.c).
 */
#ifndef ADMIN_TAIL_H
#define ADMIN_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/command.h"
#include "admin/tail_printer.h"
#include "base/loop.h"

enum { TAIL_EVENT_MOST_BYTES = 64 * 1024 * 1024 }; /* larger than any that a worker makes */

struct tail_options {
	const char *subject;       /* the id of a run, or a URL; borrowed, as what follows: */
	const char *lines, *from, *streams, *last_event_id; /* as they were given, or NULL */
	bool from_end;
	uint64_t tail_lines;       /* of lines */
	uint64_t wait_s;           /* for a run that is yet to come; 0: not */
	unsigned files;            /* CHANNEL_FILES of streams */
	bool follows;
	bool exits_as_run;
};

/* Return exit statuses. */
int tail_local(const struct call *call, const struct tail_options *options,
               struct tail_printer *printer);
int tail_url(const struct tail_options *options, struct tail_printer *printer);

bool tail_is_url(const char *subject);

/*
 * Has the loop end us, as a write to it would, when the reader of our stdout has left: a quiet
 * stream would otherwise be followed for nobody. Borrows the watch for the life of the loop.
 */
void tail_watch_stdout(struct loop *loop, struct loop_fd *watch);

/* The exit status of a stream that was read to its end. */
int tail_end_status(const struct tail_options *options, const struct tail_printer *printer);

#endif
