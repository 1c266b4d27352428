#include "admin/output_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum {
	BATCH_ROWS = 4096,
	GAP_WIDTH = 2,
	LEAST_WIDTH = 6, /* of a column that is cut */
	/* Of 2026-02-04T18:30:42.569Z what is left: 02-04T18:30. */
	TIME_WIDTH = 24,
	TIME_SKIPPED = 5,
	TIME_SHOWN = 11,
};

size_t
output_width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

const char output_heading_colour[] = "\033[1m", output_no_colour[] = "\033[0m";

const char *
output_state_colour(const char *word)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {
		{ "running", "\033[32m" }, { "failed", "\033[31m" },    { "crashed", "\033[31m" },
		{ "waiting", "\033[33m" }, { "cancelled", "\033[33m" }, { "stopped", "\033[33m" },
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(word, colours[i].word) == 0)
			return colours[i].colour;
	return "";
}

static void
put(struct output_table *t, const char *text)
{
	if (!t->error && fputs(text, t->stream) == EOF)
		t->error = errno ? -errno : -EIO;
}

static void
pad(struct output_table *t, size_t count)
{
	while (count-- > 0)
		put(t, " ");
}

static size_t
row_width(const struct output_table *t)
{
	size_t width = t->indent;

	for (size_t i = 0; i < t->column_count; i++)
		width += t->columns[i].shown_width + (i > 0 ? GAP_WIDTH : 0);
	return width;
}

static struct output_column *
widest_text(struct output_table *t)
{
	struct output_column *widest = NULL;

	for (size_t i = 1; i < t->column_count; i++) {
		struct output_column *column = &t->columns[i];

		if (column->kind == OUTPUT_CELL_TEXT && column->shown_width > LEAST_WIDTH &&
		    (!widest || column->shown_width > widest->shown_width))
			widest = column;
	}
	return widest;
}

/* Decides how wide the columns of this batch are shown. */
static void
fit(struct output_table *t)
{
	struct output_column *column;

	for (size_t i = 0; i < t->column_count; i++)
		t->columns[i].shown_width = t->columns[i].width;
	if (t->most_width == 0)
		return;
	for (size_t i = 1; i < t->column_count && row_width(t) > t->most_width; i++) {
		column = &t->columns[i];
		if (column->kind == OUTPUT_CELL_TIME && column->width == TIME_WIDTH)
			column->shown_width = TIME_SHOWN;
	}
	while (row_width(t) > t->most_width && (column = widest_text(t)) != NULL)
		column->shown_width--;
}

static void
put_part(struct output_table *t, const char *text, size_t bytes)
{
	if (!t->error && fwrite(text, 1, bytes, t->stream) != bytes)
		t->error = errno ? -errno : -EIO;
}

/* As much of it as its column shows. */
static void
put_cut(struct output_table *t, const struct output_column *column, const char *text)
{
	size_t left = column->shown_width;
	const char *end = text;

	if (output_width(text) <= left) {
		put(t, text);
		return;
	}
	if (column->kind == OUTPUT_CELL_TIME) {
		put_part(t, text + TIME_SKIPPED, TIME_SHOWN);
		return;
	}
	/* Whole characters, and one less: for the ellipsis. */
	while (--left > 0)
		do
			end++;
		while (((unsigned char)*end & 0xc0) == 0x80);
	put_part(t, text, (size_t)(end - text));
	put(t, "\xe2\x80\xa6");
}

static void
cell_put(struct output_table *t, size_t index, const char *text, const char *colour)
{
	const struct output_column *column = &t->columns[index];
	size_t width = output_width(text);
	size_t space = column->shown_width > width ? column->shown_width - width : 0;
	bool is_last = index + 1 == t->column_count;
	bool is_right = column->kind == OUTPUT_CELL_NUMBER;

	if (is_right)
		pad(t, space);
	if (t->is_coloured && *colour) {
		put(t, colour);
		put_cut(t, column, text);
		put(t, output_no_colour);
	} else {
		put_cut(t, column, text);
	}
	if (!is_last)
		pad(t, (is_right ? 0 : space) + GAP_WIDTH);
}

static void
batch_put(struct output_table *t)
{
	const char *cell = buf_string(&t->cells);

	if (buf_error(&t->cells)) {
		t->error = t->error ? t->error : buf_error(&t->cells);
		return;
	}
	fit(t);
	if (!t->has_headings && t->batched_rows > 0) {
		pad(t, t->indent);
		for (size_t i = 0; i < t->column_count; i++)
			cell_put(t, i, t->columns[i].heading ? t->columns[i].heading : "",
			         output_heading_colour);
		put(t, "\n");
		t->has_headings = true;
	}
	for (size_t row = 0; row < t->batched_rows; row++) {
		pad(t, t->indent);
		for (size_t i = 0; i < t->column_count; i++) {
			cell_put(t, i, cell,
			         t->columns[i].kind == OUTPUT_CELL_STATE ? output_state_colour(cell) : "");
			cell += strlen(cell) + 1;
		}
		put(t, "\n");
	}
	buf_clear(&t->cells);
	t->batched_rows = 0;
}

void
output_table_cell(struct output_table *t, char *heading, const char *text, enum output_cell kind)
{
	struct output_column *column;
	size_t width = output_width(text);

	if (!t->has_rows) {
		must(t->column_count < OUTPUT_TABLE_COLUMNS);
		column = &t->columns[t->column_count++];
		column->heading = heading;
		column->kind = kind;
		column->width = heading ? output_width(heading) : 0;
		for (char *c = heading; c && *c; c++)
			if (*c >= 'a' && *c <= 'z')
				*c -= 'a' - 'A';
	} else {
		free(heading);
	}
	must(t->column_at < t->column_count);
	column = &t->columns[t->column_at++];
	if (column->width < width)
		column->width = width;
	buf_append(&t->cells, text, strlen(text) + 1);
}

void
output_table_row_end(struct output_table *t)
{
	must(t->column_at == t->column_count);
	t->column_at = 0;
	t->has_rows = true;
	if (++t->batched_rows == BATCH_ROWS)
		batch_put(t);
}

int
output_table_end(struct output_table *t)
{
	int error;

	batch_put(t);
	error = t->error;
	for (size_t i = 0; i < t->column_count; i++)
		free(t->columns[i].heading);
	buf_fini(&t->cells);
	*t = (struct output_table){ 0 };
	return error;
}
