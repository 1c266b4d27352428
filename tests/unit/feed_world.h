/*
 * What streams of many runs are held against: runs (or message buses) that are written, rotated, copied
 * and emptied, ended and deleted, each line (event, message) with its number in it.
 */
#ifndef TESTS_FEED_WORLD_H
#define TESTS_FEED_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream_fixture.h"

enum { MOST_RUNS = 12, MOST_LINES = 2000 };

enum world_kind { WORLD_LOGS, WORLD_EVENTS, WORLD_MESSAGES };

struct run {
	char id[16];
	char task[8];
	bool is_over, is_deleted, is_copied; /* at least once: a gap may be told of it */
	unsigned lines[CURSOR_FILES];   /* written */
	unsigned of_file[CURSOR_FILES]; /* the first of them that is in the current file */
	unsigned archives;
};

struct world {
	struct fixture *f;
	enum world_kind kind;
	int files;              /* of each run */
	bool has_tasks;         /* runs are of two tasks, t0 and t1 */
	struct run runs[MOST_RUNS];
	unsigned run_count;
	uint64_t seed;
	bool is_traced;
};

/* What is done, if a failure is replayed. */
#define TRACE(world, ...) ((world)->is_traced ? (void)printf(__VA_ARGS__) : (void)0)

void world_init(struct world *world, struct fixture *f, enum world_kind kind, uint64_t seed);
unsigned world_below(struct world *world, unsigned limit);

/* Puts one into its registry as it is now, as discovery would. */
void world_put(struct world *world, const struct run *run);
void world_add(struct world *world);
void world_write(struct world *world, struct run *run, int file, unsigned count);
/* Both return whether there was anything to be rotated. */
bool world_rotate(struct world *world, struct run *run, int file);
bool world_copy_and_truncate(struct world *world, struct run *run, int file);
void world_end(struct world *world, struct run *run);
/* One that is over goes on. */
void world_go_on(struct world *world, struct run *run);
void world_delete(struct world *world, struct run *run);

/* Of an event: its run's index, and whether it is an entry: then its file and number. */
unsigned world_run_of(const struct world *world, const struct read_event *e);
bool world_is_entry(const struct world *world, const struct read_event *e, int *ret_file, unsigned *ret_number);
/* Whether it says that its run is known to the client: what is written from then on is owed to it. */
bool world_is_status(const struct world *world, const struct read_event *e);

#endif
