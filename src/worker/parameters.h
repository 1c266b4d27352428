/* What a request says in its path and its query, checked; what is wrong is answered with 400. */
#ifndef WORKER_PARAMETERS_H
#define WORKER_PARAMETERS_H

#include "model/run_id.h"
#include "worker/connection.h"

/* 1: there, and ret_value borrows it until the request is freed; 0: not there, or empty;
 * -1: wrong, the request was answered. */
int parameters_text(struct connection *c, const char *name, struct target_text *ret_value);

/* The same for a whole number from least to most; *ret_value is left as it was if not there. */
int parameters_number(struct connection *c, const char *name, uint64_t least, uint64_t most,
                      uint64_t *ret_value);

/* Copies a parameter into a buffer of room bytes, which is left as it was if it is not there. False:
 * it does not fit or is wrong, and the request was answered. */
bool parameters_word(struct connection *c, const char *name, char *to, size_t room);

/* Copies a segment of the path that names a run, project or task. False: it cannot be what it is to
 * be ("the id of a run"), and the request was answered. */
bool parameters_segment(struct connection *c, size_t index, const char *what,
                        char to[static RUN_ID_BYTES + 1]);

/* Answers with 400. what: the rest of the sentence, after the name. */
void parameters_refuse(struct connection *c, const char *name, const char *what);

#endif
