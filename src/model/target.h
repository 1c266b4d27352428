/*
 * The target of a request (RFC 9112, 3.2), taken raw from REQUEST_URI: split first, then each
 * part percent-decoded once, so that an encoded separator never becomes one.
 *
 * Nothing is normalised. An empty segment ("//", a slash at the end, "/" alone) stays a segment
 * of no characters, which no route has and no name may be: such a path is not found. A segment
 * "." or ".." is an error, however it is written: nginx would have chosen its location by another
 * path than the one that we see.
 */
#ifndef MODEL_TARGET_H
#define MODEL_TARGET_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TARGET_BYTES = 8 * 1024, /* longest target */
	TARGET_SEGMENTS = 12,
	TARGET_PARAMETERS = 32,
};

struct target_text {
	const char *text; /* NUL-terminated, and holds no other NUL */
	size_t length;
};

struct target_parameter {
	const char *name;
	struct target_text value; /* text is NULL where the encoding is bad */
};

/* Points into itself: not to be copied or moved. */
struct target {
	struct target_text segments[TARGET_SEGMENTS]; /* those after the prefix */
	size_t segment_count;
	struct target_parameter parameters[TARGET_PARAMETERS];
	size_t parameter_count;
	char room[TARGET_BYTES + 2]; /* each part's separator becomes its NUL */
};

/*
 * Reads request_uri ("/path?query", or absolute: "http://host/path?query"). prefix ("/api", without
 * a slash at its end, or "" for none) is matched segment by segment at its start. Returns
 *   0        done;
 *   -EINVAL  not a target: no leading slash, '#', a bad percent-encoding, a segment that holds '/',
 *            NUL or another control character, or is "." or "..";
 *   -E2BIG   above TARGET_BYTES or TARGET_PARAMETERS;
 *   -ENOENT  not beneath the prefix, or more segments than any route has.
 * On failure *ret_target is undefined.
 */
int target_parse(const char *request_uri, size_t length, const char *prefix,
                 struct target *ret_target);

/* Whether the path of request_uri, as it stands and whole, is this one ("/metrics"): for a path that
 * is beneath no prefix. Whether the rest is well-formed is not looked at. */
bool target_has_path(const char *request_uri, size_t length, const char *path);

/*
 * Finds a query parameter (application/x-www-form-urlencoded: '+' is a space); the first of its
 * name counts, one without '=' is empty. Returns 0 and borrows its value, -ENOENT, or -EINVAL
 * where it is badly encoded or holds NUL or another control character: what is wrong with a
 * parameter that nobody asks for does not matter.
 */
int target_query(const struct target *target, const char *name, struct target_text *ret_value);

#endif
