#include "conf/document.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/must.h"
#include "base/nearest.h"

/* Bytes of "section.section.key" that are looked at; no key is nearly as long. */
enum { PATH_BYTES = 128, QUOTED_BYTES = 64, DEPTH_MAX = 4, NODES_MAX = SETTINGS_COUNT + 16 };

struct document {
	yaml_parser_t parser;
	struct settings *settings;
	struct document_place *places;
	struct buf *error;
	const char *name;
	const char *text;
	size_t length;

	/* The section that is being read: "" or "api.sse." */
	char section[PATH_BYTES];
	size_t section_ends[DEPTH_MAX]; /* of the sections around it */
	size_t depth;

	/* Every key and section met so far, to tell when one comes twice. */
	struct {
		char path[PATH_BYTES];
		size_t line;
	} met[NODES_MAX];
	size_t met_count;
};

void
document_append_quoted(struct buf *to, const char *text, size_t length)
{
	size_t most = length < QUOTED_BYTES ? length : QUOTED_BYTES;

	buf_putc(to, '"');
	for (size_t i = 0; i < most; i++)
		buf_putc(to, text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	buf_puts(to, most < length ? "…\"" : "\"");
}

static int __attribute__((format(printf, 4, 5)))
complain(struct document *d, size_t line, size_t column, const char *format, ...)
{
	va_list args;

	buf_printf(d->error, "%s:%zu:%zu: ", d->name, line, column);
	va_start(args, format);
	buf_vprintf(d->error, format, args);
	va_end(args);
	return -EINVAL;
}

#define complain_at(d, mark, ...) complain(d, (mark).line + 1, (mark).column + 1, __VA_ARGS__)

/* --- what the parser itself finds ------------------------------------------------------------- */

/* Whether the line (from 1) is indented with a tab, of which libyaml speaks in riddles. */
static bool
finds_tab(const struct document *d, size_t line, size_t *ret_column)
{
	const char *at = d->text, *end = d->text + d->length;

	while (line > 1) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
		line--;
	}
	for (size_t column = 1; at < end && (*at == ' ' || *at == '\t'); at++, column++)
		if (*at == '\t') {
			*ret_column = column;
			return true;
		}
	return false;
}

static void
place_of_byte(const struct document *d, size_t offset, size_t *ret_line, size_t *ret_column)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < d->length; i++) {
		if (d->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)d->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

static int
complain_for_parser(struct document *d)
{
	const yaml_parser_t *parser = &d->parser;
	size_t line = parser->problem_mark.line + 1, column = parser->problem_mark.column + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR) {
		place_of_byte(d, parser->problem_offset, &line, &column);
		return complain(d, line, column, "not UTF-8 text, or a character that YAML forbids");
	}
	/* The parser may complain of what follows the tab, one line on. */
	if (finds_tab(d, line, &column) || (line > 1 && finds_tab(d, --line, &column)))
		return complain(d, line, column, "a tab; indent with blanks");
	line = parser->problem_mark.line + 1;
	return complain(d, line, parser->problem_mark.column + 1, "%s",
	                parser->problem ? parser->problem : "not YAML");
}

/* Reads one event, which the caller deletes. Tags, anchors and aliases end here. */
static int
next_event(struct document *d, yaml_event_t *ret_event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	yaml_event_t event;

	if (!yaml_parser_parse(&d->parser, &event))
		return complain_for_parser(d);
	if (event.type == YAML_SCALAR_EVENT) {
		anchor = event.data.scalar.anchor;
		tag = event.data.scalar.tag;
	} else if (event.type == YAML_MAPPING_START_EVENT) {
		anchor = event.data.mapping_start.anchor;
		tag = event.data.mapping_start.tag;
	} else if (event.type == YAML_SEQUENCE_START_EVENT) {
		anchor = event.data.sequence_start.anchor;
		tag = event.data.sequence_start.tag;
	}
	if (anchor || event.type == YAML_ALIAS_EVENT)
		complain_at(d, event.start_mark, "anchors and aliases (& and *) have no place here");
	else if (tag)
		complain_at(d, event.start_mark, "tags (!) have no place here");
	if (anchor || tag || event.type == YAML_ALIAS_EVENT) {
		yaml_event_delete(&event);
		return -EINVAL;
	}
	*ret_event = event;
	return 0;
}

/* --- keys ------------------------------------------------------------------------------------- */

static const struct settings_key *
find_key(const char *path)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (strcmp(settings_keys[i].path, path) == 0)
			return &settings_keys[i];
	return NULL;
}

static bool
is_section(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (strncmp(settings_keys[i].path, path, length) == 0 &&
		    settings_keys[i].path[length] == '.')
			return true;
	return false;
}

/* Names a right key: of this section if one is near, else one of that name in any section. */
static void
suggest(struct document *d, const char *word)
{
	char names[SETTINGS_COUNT][PATH_BYTES];
	const char *siblings[SETTINGS_COUNT], *lasts[SETTINGS_COUNT], *found;
	size_t count = 0, section = strlen(d->section);

	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const char *path = settings_keys[i].path;

		lasts[i] = strrchr(path, '.') + 1;
		if (strncmp(path, d->section, section) != 0)
			continue;
		memccpy(names[count], path + section, '\0', PATH_BYTES);
		names[count][strcspn(names[count], ".")] = '\0';
		siblings[count] = names[count];
		count++;
	}
	if (find_key(word)) {
		buf_puts(d->error, "; sections are nested, one a line");
		return;
	}
	found = nearest_word(word, siblings, count);
	if (found) {
		buf_printf(d->error, "; did you mean \"%s\"?", found);
		return;
	}
	found = nearest_word(word, lasts, SETTINGS_COUNT);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (found && lasts[i] == found) {
			buf_printf(d->error, "; did you mean %s?", settings_keys[i].path);
			return;
		}
}

static int
complain_of_key(struct document *d, const yaml_event_t *event)
{
	const char *word = (const char *)event->data.scalar.value;

	complain_at(d, event->start_mark, "unknown key ");
	document_append_quoted(d->error, word, event->data.scalar.length);
	if (d->depth > 0)
		buf_printf(d->error, " in %.*s", (int)strlen(d->section) - 1, d->section);
	if (strlen(word) == event->data.scalar.length)
		suggest(d, word);
	return -EINVAL;
}

/* Makes the path of a key in this section; keeps account of it. */
static int
meet_key(struct document *d, const yaml_event_t *event, char ret_path[static PATH_BYTES])
{
	size_t section = strlen(d->section), length = event->data.scalar.length;
	const char *word = (const char *)event->data.scalar.value;

	if (length == 0 || section + length >= PATH_BYTES || memchr(word, '.', length) ||
	    memchr(word, '\0', length))
		return complain_of_key(d, event);
	memcpy(ret_path, d->section, section);
	memcpy(ret_path + section, word, length + 1);
	if (!find_key(ret_path) && !is_section(ret_path))
		return complain_of_key(d, event);
	for (size_t i = 0; i < d->met_count; i++)
		if (strcmp(d->met[i].path, ret_path) == 0)
			return complain_at(d, event->start_mark, "%s is given twice, first in line %zu",
			                   ret_path, d->met[i].line);
	/* Each is known and met once, so they are fewer than there is room for. */
	must(d->met_count < NODES_MAX);
	memcpy(d->met[d->met_count].path, ret_path, section + length + 1);
	d->met[d->met_count++].line = event->start_mark.line + 1;
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool
is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return event->type == YAML_SCALAR_EVENT &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static void
append_found(struct buf *to, const yaml_event_t *event)
{
	if (event->type == YAML_SEQUENCE_START_EVENT) {
		buf_puts(to, "a list");
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		buf_puts(to, "a section");
	} else if (is_null(event)) {
		buf_puts(to, "nothing");
	} else {
		if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
			buf_puts(to, "the quoted text ");
		document_append_quoted(to, (const char *)event->data.scalar.value,
		                       event->data.scalar.length);
	}
}

static int
complain_of_value(struct document *d, yaml_mark_t mark, const struct settings_key *key,
                  const yaml_event_t *event)
{
	complain_at(d, mark, "%s must be ", key->path);
	settings_key_append_demand(d->error, key);
	buf_puts(d->error, ", not ");
	append_found(d->error, event);
	return -EINVAL;
}

/* The words of a list, each with its own place, up to its end. */
static int
read_words(struct document *d, const struct settings_key *key, struct buf *words)
{
	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		int error = next_event(d, &event);

		if (error)
			return error;
		type = event.type;
		if (type == YAML_SCALAR_EVENT && !is_null(&event) &&
		    settings_key_takes_word(key, (const char *)event.data.scalar.value,
		                        event.data.scalar.length)) {
			buf_append(words, event.data.scalar.value, event.data.scalar.length);
			buf_putc(words, ' ');
		} else if (type != YAML_SEQUENCE_END_EVENT) {
			error = complain_of_value(d, event.start_mark, key, &event);
		}
		yaml_event_delete(&event);
		if (error || type == YAML_SEQUENCE_END_EVENT)
			return error;
	}
}

static int
read_list(struct document *d, const struct settings_key *key, const yaml_event_t *event)
{
	struct buf words = BUF_INIT;
	int error = read_words(d, key, &words);

	if (!error && buf_error(&words))
		error = buf_error(&words);
	if (!error) {
		error = settings_set(d->settings, key, buf_string(&words), words.length_bytes);
		/* Each of them is right: it is too long, or something stands beside "*". */
		if (error == -EINVAL)
			complain_of_value(d, event->start_mark, key, event);
	}
	buf_fini(&words);
	return error;
}

static int
read_value(struct document *d, const struct settings_key *key, const yaml_event_t *event)
{
	/* Where to point; an absent value has its mark on a later line. */
	yaml_mark_t mark = event->start_mark;
	bool is_plain = event->type == YAML_SCALAR_EVENT &&
	                event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	int error = -EINVAL;

	d->places[key - settings_keys] = (struct document_place){ mark.line + 1, mark.column + 1 };
	if (event->type == YAML_SEQUENCE_START_EVENT && settings_key_is_list(key))
		return read_list(d, key, event);
	if (event->type == YAML_SCALAR_EVENT && !is_null(event) &&
	    (is_plain || (key->type != SETTINGS_NUMBER && key->type != SETTINGS_BOOLEAN)))
		error = settings_set(d->settings, key, (const char *)event->data.scalar.value,
		                     event->data.scalar.length);
	return error == -EINVAL ? complain_of_value(d, mark, key, event) : error;
}

static int
begin_section(struct document *d, const char *path, const yaml_event_t *event)
{
	size_t length = strlen(path);

	/* A section with nothing in it: all its keys are commented out. */
	if (is_null(event))
		return 0;
	if (event->type != YAML_MAPPING_START_EVENT) {
		complain_at(d, event->start_mark, "%s must be a section with keys of its own, not ",
		            path);
		append_found(d->error, event);
		return -EINVAL;
	}
	must(d->depth < DEPTH_MAX && length + 1 < PATH_BYTES);
	d->section_ends[d->depth++] = strlen(d->section);
	memcpy(d->section, path, length);
	memcpy(d->section + length, ".", 2);
	return 0;
}

/* A key of the section and its value. */
static int
read_pair(struct document *d, const yaml_event_t *key_event)
{
	const struct settings_key *key;
	char path[PATH_BYTES];
	yaml_event_t event;
	int error;

	if (key_event->type != YAML_SCALAR_EVENT)
		return complain_at(d, key_event->start_mark, "a key must be a word");
	error = meet_key(d, key_event, path);
	if (error)
		return error;
	error = next_event(d, &event);
	if (error)
		return error;
	key = find_key(path);
	error = key ? read_value(d, key, &event) : begin_section(d, path, &event);
	yaml_event_delete(&event);
	return error;
}

/* From the event after the document's start to its end. */
static int
read_root(struct document *d)
{
	yaml_event_t event;
	int error = next_event(d, &event);

	if (error)
		return error;
	if (event.type != YAML_MAPPING_START_EVENT && !is_null(&event)) {
		complain_at(d, event.start_mark, "the file must consist of keys and values, not ");
		append_found(d->error, &event);
		yaml_event_delete(&event);
		return -EINVAL;
	}
	if (event.type == YAML_SCALAR_EVENT) {
		yaml_event_delete(&event);
		return 0;
	}
	yaml_event_delete(&event);
	for (;;) {
		error = next_event(d, &event);
		if (error)
			return error;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			if (d->depth == 0)
				return 0;
			d->section[d->section_ends[--d->depth]] = '\0';
			continue;
		}
		error = read_pair(d, &event);
		yaml_event_delete(&event);
		if (error)
			return error;
	}
}

static int
read_stream(struct document *d)
{
	bool seen = false;

	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		yaml_mark_t mark;
		int error = next_event(d, &event);

		if (error)
			return error;
		type = event.type;
		mark = event.start_mark;
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type != YAML_DOCUMENT_START_EVENT)
			continue; /* the stream's start, the document's end */
		if (seen)
			return complain_at(d, mark, "a second document begins; one is all there may be");
		seen = true;
		error = read_root(d);
		if (error)
			return error;
	}
}

int
document_apply(struct settings *settings, const char *name, const char *text, size_t length,
               struct document_place ret_places[static SETTINGS_COUNT], struct buf *error_text)
{
	struct document d = { .settings = settings, .places = ret_places, .error = error_text,
		              .name = name, .text = text, .length = length };
	int error;

	if (!yaml_parser_initialize(&d.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&d.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&d.parser, (const unsigned char *)text, length);
	error = read_stream(&d);
	yaml_parser_delete(&d.parser);
	return error;
}
