/* Points in time as RFC 3339 writes them. */
#ifndef MODEL_RFC3339_H
#define MODEL_RFC3339_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a date-time (RFC 3339, 5.6: "2026-02-04T18:30:42.569+01:00"; also with a blank for the T,
 * as its note allows) into milliseconds since the epoch; what is finer is cut off. Years 0000 to
 * 9999; a leap second counts as the second after it. 0, or -EINVAL.
 */
int rfc3339_parse(const char *text, size_t length, int64_t *ret_wall_ms);

#endif
