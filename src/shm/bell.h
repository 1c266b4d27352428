/*
 * Discovery's bell: a pipe on which workers ask it to look. A slot is written whole (pipe(7):
 * less than PIPE_BUF is), so a worker killed anywhere leaves nothing torn.
 */
#ifndef SHM_BELL_H
#define SHM_BELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BELL_NEW UINT32_MAX /* instead of a slot: look for what is new */

/* The two ends, owned by the caller, neither of which ever waits. 0 or -errno. */
int bell_create(int *ret_read_fd, int *ret_ring_fd);

/* Asks for a look at the run in a slot of the registry, or for what is new. False: so much is asked
 * already that the pipe is full, and this one is forgotten. */
bool bell_ring(int ring_fd, uint32_t slot);

/* Takes what was asked for; returns how many (0: nothing is left). They are input. */
size_t bell_read(int read_fd, uint32_t *ret_slots, size_t most);

#endif
