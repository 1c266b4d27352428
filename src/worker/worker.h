/* The process that answers requests: one event loop for thousands of streams. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "shm/instance.h"

/*
 * Runs a worker in this (forked) process until the supervisor asks it to end or is gone. Takes the
 * settings in *instance; borrows its descriptors. Returns the exit status.
 */
int worker_main(struct instance *instance);

#endif
