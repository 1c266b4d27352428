/* What is wrong with a document that was sent to us: the member, and why it is refused. */
#ifndef MODEL_FAULT_H
#define MODEL_FAULT_H

#include <errno.h>
#include <stdio.h>

enum { FAULT_FIELD_BYTES = 64 };

struct fault {
	char field[FAULT_FIELD_BYTES]; /* "parallelism", "events[3].type"; "": the document itself */
	const char *problem;           /* "must be a string": goes on from the field's name */
};

/* Says so; returns -EINVAL. problem: borrowed for as long as the program runs. */
static inline int
fault_set(struct fault *fault, const char *field, const char *problem)
{
	snprintf(fault->field, sizeof(fault->field), "%s", field);
	fault->problem = problem;
	return -EINVAL;
}

#endif
