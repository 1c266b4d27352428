/* What is wrong with a document that was sent to us: the member, and why it is refused. */
#ifndef MODEL_FAULT_H
#define MODEL_FAULT_H

enum { FAULT_FIELD_BYTES = 64 };

struct fault {
	char field[FAULT_FIELD_BYTES]; /* "parallelism", "events[3].type"; "": the document itself */
	const char *problem;           /* "must be a string": goes on from the field's name */
};

#endif
