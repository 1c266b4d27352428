/*
 * A table in text: columns as wide as their widest cell, numbers to the right. Rows are kept until
 * there is a batch of them, whose columns are aligned with one another.
 *
 * Where the rows are wider than they may be, times lose year and seconds, and then the widest columns
 * of text their ends, with an ellipsis. Never cut are numbers, states and the first column, which is
 * what commands are given: a row that is too wide even so stays it.
 */
#ifndef ADMIN_OUTPUT_TABLE_H
#define ADMIN_OUTPUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"

enum { OUTPUT_TABLE_COLUMNS = 80 }; /* one for each of 64 workers, and some */

enum output_cell {
	OUTPUT_CELL_TEXT,
	OUTPUT_CELL_NUMBER, /* to the right */
	OUTPUT_CELL_TIME,   /* RFC 3339 to the millisecond, or "-" */
	OUTPUT_CELL_STATE,  /* coloured, where there are colours */
};

struct output_column {
	char *heading;
	size_t width;  /* widest cell so far, in code points */
	size_t shown_width; /* of this batch, where there is less room */
	enum output_cell kind;
};

/* Embedded, zero-initialised; empty again after output_table_end(). */
struct output_table {
	FILE *stream;    /* borrowed */
	size_t indent;   /* blanks before each row */
	size_t most_width; /* code points of a row; 0: as many as it has */
	bool is_coloured;
	int error;       /* the first failure: 0 or -errno */
	struct output_column columns[OUTPUT_TABLE_COLUMNS];
	size_t column_count, column_at;
	bool has_rows;   /* the columns are known */
	bool has_headings;
	struct buf cells; /* of the batch, each ended by a NUL */
	size_t batched_rows;
};

/* The next cell of a row. heading: in capitals, as the first row says (takes; NULL: without
 * memory for it). text: as it is shown. */
void output_table_cell(struct output_table *table, char *heading, const char *text,
                       enum output_cell kind);
/* Ends a row: each has as many cells as the first. */
void output_table_row_end(struct output_table *table);
/* Writes what is left. Returns the first failure since it began: 0 or -errno. */
int output_table_end(struct output_table *table);

/* What a terminal is told before a word that says how something does, "" for nothing; and before a
 * heading; and behind either. */
const char *output_state_colour(const char *word);
extern const char output_heading_colour[], output_no_colour[];

/* Code points: the columns that most text takes on a terminal. */
size_t output_width(const char *text);

#endif
