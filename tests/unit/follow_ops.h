/*
 * Sequences of operations on one run: its two logs, its status, its readers in two processes.
 * An operation is nothing but numbers, so that a sequence can be told, replayed and made shorter:
 * what one does depends on its own numbers and on what the ones before it did.
 */
#ifndef TESTS_FOLLOW_OPS_H
#define TESTS_FOLLOW_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPS_MOST = 64 };

struct op {
	uint8_t kind;
	uint32_t numbers[4];
};

struct ops {
	bool has_inotify, is_dated, has_small_cache, begins_alike;
	size_t count;
	struct op list[OPS_MOST];
};

void ops_make(struct ops *ops, uint64_t seed, bool has_inotify);
void ops_print(const struct ops *ops, FILE *to);
/* Runs them; with_trace: tells on stderr what readers get. NULL, or what went wrong (static). */
const char *ops_run(const struct ops *ops, bool with_trace);

#endif
