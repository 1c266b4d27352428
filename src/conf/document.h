/* A configuration file's YAML, event by event, so that each complaint has its line and column. */
#ifndef CONF_DOCUMENT_H
#define CONF_DOCUMENT_H

#include <stddef.h>

#include "base/buf.h"
#include "conf/settings.h"

/* Where in the file a key was given; line 0: nowhere. Both from 1, columns in characters. */
struct document_place {
	size_t line, column;
};

/*
 * Applies text to settings. Fills ret_places (one for each key of the table) as it goes. 0, or
 * -errno with "name:line:column: sentence" appended to error.
 */
int document_apply(struct settings *settings, const char *name, const char *text, size_t length,
                   struct document_place ret_places[static SETTINGS_COUNT], struct buf *error);

/* Appends text in double quotes, cut and made fit for a terminal. */
void document_append_quoted(struct buf *to, const char *text, size_t length);

#endif
