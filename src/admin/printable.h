/* Text of others, made fit for a terminal or for JSON: nothing in it is obeyed by either. */
#ifndef ADMIN_PRINTABLE_H
#define ADMIN_PRINTABLE_H

#include <stdbool.h>

#include "base/buf.h"

/* Control characters, and what is not UTF-8, as \x1b. */
void printable_put(struct buf *to, const char *text);
/* What is not UTF-8 as U+FFFD; the rest is for whoever writes JSON to escape. */
void printable_put_utf8(struct buf *to, const char *text);

/* command_warn() of such a text. */
void printable_warn(const char *text);

#endif
