/*
 * JSON text (RFC 8259) as it stands, without building anything from it: is it valid, and what are
 * the members of its outermost object. Strict: one value, nothing behind it but white space, UTF-8
 * throughout, no control characters in strings, at most JSON_SCAN_DEPTH levels. Nothing is
 * allocated; what is found are spans of the text that was given (borrowed).
 */
#ifndef MODEL_JSON_SCAN_H
#define MODEL_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_SCAN_DEPTH = 64 };

enum json_scan_type {
	JSON_SCAN_NULL,
	JSON_SCAN_BOOLEAN,
	JSON_SCAN_NUMBER,
	JSON_SCAN_STRING,
	JSON_SCAN_ARRAY,
	JSON_SCAN_OBJECT,
};

struct json_value {
	enum json_scan_type type;
	const char *text; /* as written, a string with its quotes; no white space around it */
	size_t length;
};

struct json_member {
	const char *name; /* as written, without its quotes; may hold escapes */
	size_t name_length;
	struct json_value value;
};

/* Validates a text, and says what value it is. 0 or -EBADMSG. */
int json_scan(const char *text, size_t length, struct json_value *ret_value);

/* --- member by member: validating in the same pass ---------------------------------------------- */

struct json_walk {
	const char *at, *end;
	bool is_begun;
};

/*
 * Begins at a text that should be one object (or one array). 0, or -EBADMSG if it begins with
 * something else. What follows is validated as it is walked through: a text is known to be good
 * only when the walk came to its end.
 */
int json_walk_object(const char *text, size_t length, struct json_walk *ret_walk);
int json_walk_array(const char *text, size_t length, struct json_walk *ret_walk);

/* 1 and the next member (element); 0 at the end of a valid text; -EBADMSG. In order, and a name
 * that stands there twice comes twice. */
int json_walk_member(struct json_walk *walk, struct json_member *ret_member);
int json_walk_element(struct json_walk *walk, struct json_value *ret_value);

/* --- what they say ------------------------------------------------------------------------------- */

/* Whether the member has this name, however it is escaped. */
bool json_member_is(const struct json_member *member, const char *name);

/* Whether the value is this string, however it is escaped. */
bool json_value_is(const struct json_value *value, const char *text, size_t length);

/*
 * The string that a value is, unescaped; no NUL is added. A surrogate without its other half
 * becomes U+FFFD. 0; -EINVAL: it is no string; -EMSGSIZE: it does not fit.
 */
int json_value_text(const struct json_value *value, char *to, size_t capacity, size_t *ret_length);

/* A number without fraction and exponent. 0; -EINVAL: it is none; -ERANGE: it does not fit. */
int json_value_u64(const struct json_value *value, uint64_t *ret_number);
int json_value_i64(const struct json_value *value, int64_t *ret_number);

#endif
