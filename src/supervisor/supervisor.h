/*
 * runstreamd's supervisor: reads the configuration, makes and keeps what the other processes
 * share (sockets, shared memory, runtime directory), starts and restarts them, reloads, drains.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

/* The program. Returns its exit status: 0 done, 1 failed, 2 misused. */
int supervisor_main(int argc, char **argv);

#endif
