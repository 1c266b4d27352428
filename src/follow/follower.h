/*
 * A followed file: the source (source.h) that looks at a path beneath the runs directory and
 * knows its generations. One per file and process, shared by all who read it, gone with the last.
 *
 * A look compares the size and the identity of what the path names with what is open:
 *  - grown: readers are told;
 *  - shrunk: the generation is lost, and a new one begins on the same file;
 *  - changed, with new copies beside it of what is not known: it held that since the last look, and was
 *    emptied: they come between what was seen and what is there now;
 *  - another file: it waits until the old one was read to its end and has rested for one
 *    poll interval after the new one had content, so that a line cut by a rotation and what
 *    the writer still adds to the old file come first; then the old generation ends;
 *  - missing, or not a regular file: the open one goes on.
 * Looks happen at inotify's hint, and by polling in any case: each healthy_poll_interval_ms
 * while the directory's watch works, each poll_interval_ms where it does not.
 */
#ifndef FOLLOW_FOLLOWER_H
#define FOLLOW_FOLLOWER_H

#include "follow/source.h"

struct follower;

/* Drops a reference; sets the pointer to NULL. */
void follower_release(struct follower **follower);

struct source *follower_source(struct follower *follower);

#endif
