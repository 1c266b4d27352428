#include "model/yaml_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/must.h"

enum { DEPTH_MOST = 64 };

struct walk {
	yaml_walk_fn *fn;
	void *arg;
	int depth, depth_limit;
	/* Of the collections around: */
	bool is_mapping[DEPTH_MOST];
	bool has_key[DEPTH_MOST]; /* its value is next */
};

/* Whether the next thing is a key; if it is a value, its key is done with. */
static bool
take_turn(struct walk *walk)
{
	int inner = walk->depth - 1;

	if (!walk->is_mapping[inner])
		return false;
	walk->has_key[inner] = !walk->has_key[inner];
	return walk->has_key[inner];
}

static int
take_scalar(struct walk *walk, const yaml_event_t *event)
{
	struct yaml_walk_item item = {
		.depth = walk->depth,
		.text = (const char *)event->data.scalar.value,
		.length = event->data.scalar.length,
		.is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
	};

	if (walk->depth == 0)
		return -EBADMSG;
	item.kind = take_turn(walk) ? YAML_WALK_KEY : YAML_WALK_SCALAR;
	return walk->fn(walk->arg, &item);
}

static int
take_start(struct walk *walk, bool is_mapping)
{
	struct yaml_walk_item item = { .kind = is_mapping ? YAML_WALK_MAPPING : YAML_WALK_SEQUENCE,
		                       .depth = walk->depth };
	int error = 0;

	if (walk->depth == 0 ? !is_mapping : take_turn(walk))
		return -EBADMSG;
	if (walk->depth > 0)
		error = walk->fn(walk->arg, &item);
	if (error)
		return error;
	if (walk->depth == walk->depth_limit)
		return -EBADMSG;
	walk->is_mapping[walk->depth] = is_mapping;
	walk->has_key[walk->depth] = false;
	walk->depth++;
	return 0;
}

/* Returns 0, 1 at the end of the document, or -errno. */
static int
take_event(struct walk *walk, const yaml_event_t *event)
{
	struct yaml_walk_item end = { .kind = YAML_WALK_END };

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(walk, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return take_start(walk, event->type == YAML_MAPPING_START_EVENT);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		end.depth = --walk->depth;
		return end.depth == 0 ? 1 : walk->fn(walk->arg, &end);
	case YAML_ALIAS_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_STREAM_END_EVENT:
		return -EBADMSG;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return -EBADMSG;
}

int
yaml_walk(const char *text, size_t length, int depth_limit, yaml_walk_fn *fn, void *arg)
{
	struct walk walk = { .fn = fn, .arg = arg, .depth_limit = depth_limit };
	yaml_parser_t parser;
	int error = 0;

	must(depth_limit > 0 && depth_limit <= DEPTH_MOST);
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	while (error == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			error = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
			break;
		}
		error = take_event(&walk, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return error < 0 ? error : 0;
}

bool
yaml_walk_is_null(const struct yaml_walk_item *item)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; item->is_plain && i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == item->length && memcmp(words[i], item->text, item->length) == 0)
			return true;
	return false;
}

int
yaml_walk_set_text(char **text, const struct yaml_walk_item *item)
{
	char *copy = NULL;

	if (!yaml_walk_is_null(item) && item->length > 0 && !memchr(item->text, '\0', item->length)) {
		copy = strndup(item->text, item->length);
		if (!copy)
			return -ENOMEM;
	}
	free(*text);
	*text = copy;
	return 0;
}
