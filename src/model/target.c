#include "model/target.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes text into to (as long at most) and ends it with a NUL. Returns 0 or -EINVAL. */
static int
decode(const char *text, size_t length, bool plus_is_space, char *to, size_t *ret_length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return -EINVAL;
		to[n++] = (char)c;
	}
	to[n] = '\0';
	*ret_length = n;
	return 0;
}

static size_t
span(const char *text, size_t length, char end)
{
	const char *found = length > 0 ? memchr(text, end, length) : NULL;

	return found ? (size_t)(found - text) : length;
}

static bool
is_dots(const struct target_text *segment)
{
	return strcmp(segment->text, ".") == 0 || strcmp(segment->text, "..") == 0;
}

/* Takes what is left of prefix ("/a/b") off its front if the segment is that; *prefix is left
 * alone otherwise. */
static bool
match_prefix(const char **prefix, const struct target_text *segment)
{
	size_t length = strcspn(*prefix + 1, "/");

	if (length != segment->length || memcmp(*prefix + 1, segment->text, length) != 0)
		return false;
	*prefix += 1 + length;
	return true;
}

/* path begins with '/'. */
static int
split_path(struct target *target, const char *path, size_t length, const char *prefix, char **room)
{
	bool too_many = false;

	while (length > 0) {
		struct target_text segment = { .text = *room };
		size_t raw = span(path + 1, length - 1, '/');
		int error = decode(path + 1, raw, false, *room, &segment.length);

		if (error || memchr(segment.text, '/', segment.length) || is_dots(&segment))
			return -EINVAL;
		*room += segment.length + 1;
		path += 1 + raw;
		length -= 1 + raw;
		if (*prefix != '\0') {
			if (!match_prefix(&prefix, &segment))
				return -ENOENT;
		} else if (target->segment_count < TARGET_SEGMENTS) {
			target->segments[target->segment_count++] = segment;
		} else {
			too_many = true; /* whether the rest is well-formed still matters */
		}
	}
	return *prefix != '\0' || too_many ? -ENOENT : 0;
}

/* Reads "name=value" into the next place; a name that cannot be decoded is nobody's. */
static void
add_parameter(struct target *target, const char *text, size_t length, char **room)
{
	struct target_parameter parameter = { .name = *room };
	size_t name_raw = span(text, length, '='), name_length;

	if (decode(text, name_raw, true, *room, &name_length) != 0)
		return;
	*room += name_length;
	if (name_raw == length) {
		parameter.value = (struct target_text){ .text = *room, .length = 0 };
		*room += 1;
	} else {
		*room += 1;
		if (decode(text + name_raw + 1, length - name_raw - 1, true, *room,
		           &parameter.value.length) == 0) {
			parameter.value.text = *room;
			*room += parameter.value.length + 1;
		}
	}
	target->parameters[target->parameter_count++] = parameter;
}

static int
split_query(struct target *target, const char *query, size_t length, char *room)
{
	while (length > 0) {
		size_t raw = span(query, length, '&');

		if (target->parameter_count == TARGET_PARAMETERS)
			return -E2BIG;
		if (raw > 0)
			add_parameter(target, query, raw, &room);
		if (raw == length)
			break;
		query += raw + 1;
		length -= raw + 1;
	}
	return 0;
}

/* The length of "scheme://authority" at the start of an absolute target (RFC 9112, 3.2.2), or 0. */
static size_t
measure_origin(const char *text, size_t length)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t at = strlen(schemes[i]);

		if (length < at || strncasecmp(text, schemes[i], at) != 0)
			continue;
		while (at < length && text[at] != '/' && text[at] != '?')
			at++;
		return at;
	}
	return 0;
}

int
target_parse(const char *request_uri, size_t length, const char *prefix, struct target *ret_target)
{
	size_t origin, path_length;
	const char *path;
	char *room = ret_target->room;
	int error;

	if (length > TARGET_BYTES)
		return -E2BIG;
	if (length == 0 || memchr(request_uri, '#', length))
		return -EINVAL;
	ret_target->segment_count = 0;
	ret_target->parameter_count = 0;
	origin = measure_origin(request_uri, length);
	path = request_uri + origin;
	length -= origin;
	path_length = span(path, length, '?');
	if (path_length > 0 && path[0] != '/')
		return -EINVAL;
	/* "http://host" asks for "/" (RFC 9110, 4.2.3). */
	if (path_length == 0 && origin == 0)
		return -EINVAL;
	error = split_path(ret_target, path_length > 0 ? path : "/", path_length > 0 ? path_length : 1,
	                   prefix, &room);
	if (error || path_length == length)
		return error;
	return split_query(ret_target, path + path_length + 1, length - path_length - 1, room);
}

bool
target_has_path(const char *request_uri, size_t length, const char *path)
{
	size_t origin = measure_origin(request_uri, length);
	size_t path_length = span(request_uri + origin, length - origin, '?');

	return path_length == strlen(path) && memcmp(request_uri + origin, path, path_length) == 0;
}

int
target_query(const struct target *target, const char *name, struct target_text *ret_value)
{
	for (size_t i = 0; i < target->parameter_count; i++) {
		const struct target_parameter *parameter = &target->parameters[i];

		if (strcmp(parameter->name, name) != 0)
			continue;
		if (!parameter->value.text)
			return -EINVAL;
		*ret_value = parameter->value;
		return 0;
	}
	return -ENOENT;
}
