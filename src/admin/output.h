/*
 * What a command prints, as text for people or as JSON for programs, behind the same calls. A
 * document is one object: fields, objects within, and rows (a table in text, an array of objects
 * in JSON). Keys are JSON's, in snake_case; in text they become labels and headings without
 * their unit ("uptime_ms" is "uptime").
 *
 * Rows are written as they come (text: in batches, for the width of the columns), so that a
 * million runs take no more memory than a thousand. Strings are input: in text, control
 * characters are escaped (no terminal obeys a run's file), in JSON what is not UTF-8 becomes
 * U+FFFD.
 */
#ifndef ADMIN_OUTPUT_H
#define ADMIN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct output;

enum output_format {
	OUTPUT_TEXT,
	OUTPUT_COLOURED, /* text for a terminal: headings, and words that tell good from bad */
	OUTPUT_JSON,
};

/* Begins a document on stream (borrows). Returns 0 or -ENOMEM; returns owned. */
int output_new(FILE *stream, enum output_format format, struct output **ret_output);

/*
 * Ends the document: everything that was begun must have been ended. Flushes, and returns 0 or
 * the -errno of the first failed write. Frees it in any case.
 */
int output_finish(struct output **output);

/* Rows are to be no wider (code points; 0: as wide as they are), as far as that can be:
 * output_table.h. */
void output_set_width(struct output *output, size_t width);

bool output_is_json(const struct output *output);

/*
 * An object, until output_object_end(): a section under a heading in text. Within a row it is for
 * JSON alone: a cell has no room for it.
 */
void output_object_begin(struct output *output, const char *key);
void output_object_end(struct output *output);

/*
 * Rows, each of the same fields in the same order. Without a row, text says "none" and JSON has
 * an empty array.
 */
void output_rows_begin(struct output *output, const char *key);
void output_row_begin(struct output *output);
void output_row_end(struct output *output);
void output_rows_end(struct output *output);

/* Fields. NULL strings and "" are "-" in text; JSON has null for NULL. */
void output_string(struct output *output, const char *key, const char *value);
/* A status of a run, or a state of a process: coloured as it is good or bad. */
void output_state(struct output *output, const char *key, const char *value);
void output_number(struct output *output, const char *key, int64_t value);
void output_count(struct output *output, const char *key, uint64_t value);
/* Stands for a number or count that is not known: "-" and null. */
void output_unknown(struct output *output, const char *key);
void output_boolean(struct output *output, const char *key, bool value);
/* A time that has passed, in milliseconds ("3d 4h" in text). */
void output_duration(struct output *output, const char *key, int64_t ms);
/* A moment, in milliseconds since the epoch, 0 if unknown: RFC 3339, "-" and null. */
void output_time(struct output *output, const char *key, int64_t wall_ms);

#endif
