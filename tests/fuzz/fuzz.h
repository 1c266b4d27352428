/* The entry point of a fuzz target, as libFuzzer and replay_main.c call it. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs the code under test on one input; aborts when it misbehaves. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
