/*
 * YAML that others wrote, item by item, with bounds: one mapping, not too deep, without aliases,
 * and with plain words for keys. So nothing that is read can grow beyond its text.
 */
#ifndef MODEL_YAML_WALK_H
#define MODEL_YAML_WALK_H

#include <stdbool.h>
#include <stddef.h>

enum yaml_walk_kind {
	YAML_WALK_KEY,
	YAML_WALK_SCALAR, /* a value: of the key before it, or of a sequence */
	YAML_WALK_MAPPING,
	YAML_WALK_SEQUENCE,
	YAML_WALK_END,    /* of the mapping or sequence */
};

struct yaml_walk_item {
	enum yaml_walk_kind kind;
	int depth;        /* 1: in the outermost mapping, whose own start and end are not told */
	const char *text; /* of a key or scalar: valid UTF-8, borrowed for the call, no NUL behind it */
	size_t length;
	bool is_plain;    /* without quotes, so that it may be a number, or no value */
};

/* Returns 0, or -errno, with which the walk ends. */
typedef int yaml_walk_fn(void *arg, const struct yaml_walk_item *item);

/*
 * Calls fn for each item of the first document in text. 0; -EBADMSG: not YAML, not a mapping, more
 * than depth_limit collections in one another, aliases, or a collection as a key; -ENOMEM; or what
 * fn returned.
 */
int yaml_walk(const char *text, size_t length, int depth_limit, yaml_walk_fn *fn, void *arg);

/* YAML 1.1's and 1.2's words for no value, where they are not quoted. */
bool yaml_walk_is_null(const struct yaml_walk_item *item);

/* Replaces *text by a copy of a scalar; NULL for no value, an empty one, or one that holds a NUL.
 * 0 or -ENOMEM. */
int yaml_walk_set_text(char **text, const struct yaml_walk_item *item);

#endif
