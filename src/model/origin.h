/*
 * Origins of web pages, as browsers write them in the header Origin (RFC 6454, 6.2; WHATWG HTML,
 * "serialization of an origin"): "https://runs.example.org", "http://localhost:3000". A list
 * names those that may read our answers, or is "*": all of them.
 */
#ifndef MODEL_ORIGIN_H
#define MODEL_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is one: scheme, host and maybe a port; no path, no user, and not "null". */
bool origin_valid(const char *text, size_t length);

/* Whether the list (word_list.h) is "*", alone. */
bool origin_list_is_any(const char *list);
/* Whether the list has this origin, or is "*". */
bool origin_list_has(const char *list, const char *origin);

#endif
