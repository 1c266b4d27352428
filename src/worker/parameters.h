/* Query parameters of a request, checked; a wrong one is answered with 400 that names it. */
#ifndef WORKER_PARAMETERS_H
#define WORKER_PARAMETERS_H

#include "worker/connection.h"

/* 1: there, and ret_value borrows it until the request is freed; 0: not there, or empty;
 * -1: wrong, the request was answered. */
int parameters_text(struct connection *c, const char *name, struct target_text *ret_value);

/* The same for a whole number from least to most; *ret_value is left as it was if not there. */
int parameters_number(struct connection *c, const char *name, uint64_t least, uint64_t most,
                      uint64_t *ret_value);

/* Answers with 400. what: the rest of the sentence, after the name. */
void parameters_refuse(struct connection *c, const char *name, const char *what);

#endif
