/*
 * A run's log in a fixture that is rotated in all ways, with readers who stay, leave and come back: what
 * the tests of rotation share.
 */
#ifndef TESTS_ROTATION_H
#define TESTS_ROTATION_H

#include <check.h>

#include "stream_fixture.h"

/* The files of the run, "r1". */
#define OUT "r1/agent-stdout.txt"
#define ERR "r1/agent-stderr.txt"

/* What main() returns: all cases with inotify, and all by polling, each with the fixture set up and the run in
 * it running. */
int rotation_run(const char *name, struct fixture *f, void (*add_tests)(TCase *tc));

/* A file with this text: another one, or a copy if the log has it. */
void rotation_put(struct fixture *f, const char *path, const char *text);
/* What happens to the log while nobody looks: written, copied, emptied, and written again. */
void rotation_pass_an_epoch(struct fixture *f, const char *lines, const char *copy, const char *new_lines);
/* What is made now is of a later time than what was made before, as the kernel counts it. */
void rotation_pass_a_tick(struct fixture *f);

/* A reader that has these lines, and waits. */
struct reader *rotation_reader(struct fixture *f, const char *lines);
/* Away, with its last id. */
void rotation_leave(struct reader **r, char ret_id[static STREAM_ID_BYTES + 1]);

#endif
