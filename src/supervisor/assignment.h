/*
 * Which worker accepts on which of the sockets. The web server's configuration names the sockets,
 * and workers come and go: each socket is always somebody's, as long as there is anybody.
 */
#ifndef SUPERVISOR_ASSIGNMENT_H
#define SUPERVISOR_ASSIGNMENT_H

#include <stdint.h>

#include "shm/instance.h"

/*
 * For count sockets and as many places for workers, of which those in the set able (bit i: worker
 * i) accept: fills ret_sets[i] with the set of worker i's sockets. A worker has the socket of its
 * own number, so that a change moves few; the others are dealt out, to who has fewest.
 */
void assignment_make(uint32_t count, uint64_t able, uint64_t ret_sets[static INSTANCE_WORKERS_MAX]);

#endif
