/* How a recorded run ended: what a client says (POST …/complete), and what was recorded. */
#ifndef MODEL_RUN_COMPLETION_H
#define MODEL_RUN_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/event_line.h"
#include "model/fault.h"

enum { RUN_COMPLETION_STATUS_BYTES = 15, RUN_COMPLETION_ERROR_BYTES = 4096 };

/* In the order of run_completion's counts. */
enum run_completion_count { RUN_COMPLETED_UNITS, RUN_FAILED_UNITS, RUN_BLOCKED_UNITS, RUN_COUNTS };

struct run_completion {
	char status[RUN_COMPLETION_STATUS_BYTES + 1];
	bool has_count[RUN_COUNTS];
	uint64_t counts[RUN_COUNTS];
	bool has_exit_code;
	int32_t exit_code;
	char error[RUN_COMPLETION_ERROR_BYTES + 1]; /* "": none */
	char key[EVENT_KEY_BYTES + 1];              /* "": none */
};

/*
 * Reads and checks a body: an object, or nothing at all, which is an empty one. status: completed
 * (if it is not there), failed, cancelled, crashed or stopped; completed_units, failed_units and
 * blocked_units whole numbers from 0; exit_code one of 32 bits; error a string; key as
 * event_key_valid(). null is as if it were not there; other members are passed over. key: from
 * the request's header (NULL: none); it wins. 0; -EINVAL and ret_fault.
 */
int run_completion_parse(const char *body, size_t length, const char *key,
                         struct run_completion *ret_completion, struct fault *ret_fault);

/* Whether both say the same of the run; keys apart. */
bool run_completion_equal(const struct run_completion *a, const struct run_completion *b);

/* The exit code that is given, or 0 for completed and -1 (unknown) for the others. */
int32_t run_completion_exit_code(const struct run_completion *completion);

/* Appends the event run.completed as a line, with its newline. now: RFC 3339. */
void run_completion_put_line(struct buf *to, const struct run_completion *completion,
                             const char *now);

#endif
