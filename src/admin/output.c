#include "admin/output.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "admin/output_table.h"
#include "admin/printable.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/must.h"

enum {
	LABEL_WIDTH = 20, /* of fields outside rows */
	FIELD_INDENT = 2,
};

struct output {
	FILE *stream;
	enum output_format format;
	int error;
	unsigned depth;     /* objects within the document */
	unsigned row_depth; /* objects within a row */
	bool in_rows, in_row;
	bool after_rows;    /* text: a blank line before the next field */
	bool has_members;   /* JSON: a comma is due; text: a blank line before what comes in a block */
	uint64_t row_count;
	size_t most_width; /* of rows */
	/* Text: */
	char *rows_key;
	struct output_table table;
};

static void
put(struct output *o, const char *text)
{
	if (!o->error && fputs(text, o->stream) == EOF)
		o->error = errno ? -errno : -EIO;
}

static void
put_coloured(struct output *o, const char *colour, const char *text)
{
	bool is_coloured = o->format == OUTPUT_COLOURED && *colour;

	put(o, is_coloured ? colour : "");
	put(o, text);
	put(o, is_coloured ? output_no_colour : "");
}

static void
pad(struct output *o, size_t count)
{
	while (count-- > 0)
		put(o, " ");
}

static char *
copied(struct output *o, const char *text)
{
	char *copy = strdup(text);

	if (!copy && !o->error)
		o->error = -ENOMEM;
	return copy;
}

/* "start_time" -> "start time"; the unit goes where the value is written in words. */
static char *
label(struct output *o, const char *key)
{
	char *text = copied(o, key);
	size_t length = strlen(key);

	if (!text)
		return NULL;
	if (length > 3 && strcmp(key + length - 3, "_ms") == 0)
		text[length - 3] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '_')
			*c = ' ';
	return text;
}

/* --- fields of both formats ------------------------------------------------------------------- */

static void
member_begin(struct output *o, const char *key)
{
	if (o->has_members)
		put(o, o->in_row ? ", " : ",");
	if (!o->in_row) {
		put(o, "\n");
		pad(o, (o->depth + 1) * FIELD_INDENT);
	}
	put(o, "\"");
	put(o, key); /* ours: never needs escaping */
	put(o, "\": ");
	o->has_members = true;
}

static void
field_text(struct output *o, const char *key, const char *text, enum output_cell kind)
{
	struct buf cleaned = BUF_INIT;
	char *name;

	if (!text || !*text)
		text = "-";
	printable_put(&cleaned, text);
	text = buf_string(&cleaned);
	if (o->in_row) {
		/* The others have the headings of the first. */
		output_table_cell(&o->table, o->row_count == 0 ? label(o, key) : NULL, text, kind);
	} else {
		must(!o->in_rows);
		name = label(o, key);
		if (name) {
			size_t taken = o->depth * FIELD_INDENT + output_width(name) + 1;

			put(o, o->after_rows ? "\n" : "");
			o->after_rows = false;
			pad(o, o->depth * FIELD_INDENT);
			put_coloured(o, output_heading_colour, name);
			put(o, ":");
			pad(o, taken < LABEL_WIDTH ? LABEL_WIDTH - taken : 1);
			put_coloured(o, kind == OUTPUT_CELL_STATE ? output_state_colour(text) : "", text);
			put(o, "\n");
		}
		free(name);
		o->has_members = true;
	}
	if (buf_error(&cleaned) && !o->error)
		o->error = buf_error(&cleaned);
	buf_fini(&cleaned);
}

static void
field_json(struct output *o, const char *key, struct json_object *value)
{
	must(o->in_row || !o->in_rows);
	member_begin(o, key);
	put(o, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}

static void
put_string(struct output *o, const char *key, const char *value, enum output_cell kind)
{
	if (o->format == OUTPUT_JSON) {
		struct buf cleaned = BUF_INIT;

		if (value)
			printable_put_utf8(&cleaned, value);
		field_json(o, key, value ? json_object_new_string(buf_string(&cleaned)) : NULL);
		buf_fini(&cleaned);
		return;
	}
	field_text(o, key, value, kind);
}

void
output_string(struct output *o, const char *key, const char *value)
{
	put_string(o, key, value, OUTPUT_CELL_TEXT);
}

void
output_state(struct output *o, const char *key, const char *value)
{
	put_string(o, key, value, OUTPUT_CELL_STATE);
}

void
output_number(struct output *o, const char *key, int64_t value)
{
	char text[32];

	if (o->format == OUTPUT_JSON) {
		field_json(o, key, json_object_new_int64(value));
		return;
	}
	snprintf(text, sizeof(text), "%" PRId64, value);
	field_text(o, key, text, OUTPUT_CELL_NUMBER);
}

void
output_count(struct output *o, const char *key, uint64_t value)
{
	char text[32];

	if (o->format == OUTPUT_JSON) {
		field_json(o, key, json_object_new_uint64(value));
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64, value);
	field_text(o, key, text, OUTPUT_CELL_NUMBER);
}

void
output_unknown(struct output *o, const char *key)
{
	if (o->format == OUTPUT_JSON)
		field_json(o, key, NULL);
	else
		field_text(o, key, NULL, OUTPUT_CELL_NUMBER);
}

void
output_boolean(struct output *o, const char *key, bool value)
{
	if (o->format == OUTPUT_JSON)
		field_json(o, key, json_object_new_boolean(value));
	else
		field_text(o, key, value ? "yes" : "no", OUTPUT_CELL_TEXT);
}

void
output_duration(struct output *o, const char *key, int64_t ms)
{
	int64_t s = ms / 1000;
	char text[64];

	if (o->format == OUTPUT_JSON) {
		field_json(o, key, json_object_new_int64(ms));
		return;
	}
	/* The two largest units that are not nothing: nobody reads seconds after a day. */
	if (ms < 0)
		snprintf(text, sizeof(text), "-");
	else if (s >= 86400)
		snprintf(text, sizeof(text), "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(text, sizeof(text), "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(text, sizeof(text), "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		snprintf(text, sizeof(text), "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
	field_text(o, key, text, OUTPUT_CELL_NUMBER);
}

void
output_time(struct output *o, const char *key, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_BYTES];

	if (wall_ms != 0)
		clock_format_rfc3339(wall_ms, text);
	put_string(o, key, wall_ms != 0 ? text : NULL, OUTPUT_CELL_TIME);
}

/* --- structure -------------------------------------------------------------------------------- */

void
output_object_begin(struct output *o, const char *key)
{
	must(o->in_row ? o->format == OUTPUT_JSON : !o->in_rows);
	if (o->format == OUTPUT_JSON) {
		member_begin(o, key);
		put(o, "{");
		o->has_members = false;
		if (o->in_row) {
			o->row_depth++;
			return;
		}
	} else {
		char *name = label(o, key);

		put(o, o->has_members ? "\n" : "");
		pad(o, o->depth * FIELD_INDENT);
		put_coloured(o, output_heading_colour, name ? name : "");
		put(o, ":\n");
		free(name);
		o->has_members = o->after_rows = false;
	}
	o->depth++;
}

void
output_object_end(struct output *o)
{
	if (o->in_row) {
		must(o->row_depth > 0);
		o->row_depth--;
		put(o, "}");
		o->has_members = true;
		return;
	}
	must(o->depth > 0 && !o->in_rows);
	o->depth--;
	if (o->format == OUTPUT_JSON) {
		put(o, "\n");
		pad(o, (o->depth + 1) * FIELD_INDENT);
		put(o, "}");
	}
	o->has_members = true;
}

void
output_rows_begin(struct output *o, const char *key)
{
	must(!o->in_rows);
	if (o->format == OUTPUT_JSON) {
		member_begin(o, key);
		put(o, "[");
	} else {
		put(o, o->has_members ? "\n" : "");
		o->rows_key = label(o, key);
	}
	o->in_rows = true;
	o->row_count = 0;
	o->table.stream = o->stream;
	o->table.is_coloured = o->format == OUTPUT_COLOURED;
	o->table.most_width = o->most_width;
	o->table.indent = o->depth * FIELD_INDENT;
}

void
output_row_begin(struct output *o)
{
	must(o->in_rows && !o->in_row);
	if (o->format == OUTPUT_JSON) {
		put(o, o->row_count > 0 ? ",\n" : "\n");
		pad(o, (o->depth + 2) * FIELD_INDENT);
		put(o, "{");
	}
	o->in_row = true;
	o->has_members = false;
}

void
output_row_end(struct output *o)
{
	must(o->in_row && o->row_depth == 0);
	o->in_row = false;
	o->row_count++;
	if (o->format == OUTPUT_JSON) {
		put(o, "}");
		return;
	}
	output_table_row_end(&o->table);
}

void
output_rows_end(struct output *o)
{
	int r;

	must(o->in_rows && !o->in_row);
	o->in_rows = false;
	o->has_members = true;
	if (o->format == OUTPUT_JSON) {
		if (o->row_count > 0) {
			put(o, "\n");
			pad(o, (o->depth + 1) * FIELD_INDENT);
		}
		put(o, "]");
		return;
	}
	if (o->row_count == 0) {
		pad(o, o->depth * FIELD_INDENT);
		put(o, o->rows_key ? o->rows_key : "");
		put(o, ": none\n");
	}
	r = output_table_end(&o->table);
	o->error = o->error ? o->error : r;
	o->after_rows = true;
	free(o->rows_key);
	o->rows_key = NULL;
}

int
output_new(FILE *stream, enum output_format format, struct output **ret_output)
{
	struct output *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->stream = stream;
	o->format = format;
	if (format == OUTPUT_JSON)
		put(o, "{");
	*ret_output = o;
	return 0;
}

void
output_set_width(struct output *o, size_t width)
{
	o->most_width = width;
}

bool
output_is_json(const struct output *o)
{
	return o->format == OUTPUT_JSON;
}

int
output_finish(struct output **output)
{
	struct output *o = *output;
	int r;

	must(o->depth == 0 && !o->in_rows);
	if (o->format == OUTPUT_JSON)
		put(o, o->has_members ? "\n}\n" : "}\n");
	if (fflush(o->stream) == EOF && !o->error)
		o->error = -errno;
	r = o->error;
	free(o);
	*output = NULL;
	return r;
}
