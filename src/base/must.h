/*
 * Assertions about our own invariants. They stay compiled in, in every build: a worker that
 * goes on with a broken invariant would mislead its clients, one that dies is restarted and
 * its clients resume by id. Never use must() on input.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

/* Prints one line to stderr and aborts. */
_Noreturn void must_fail(const char *expression, const char *file, int line, const char *function);

#define must(expression) \
	((expression) ? (void)0 : must_fail(#expression, __FILE__, __LINE__, __func__))

#endif
