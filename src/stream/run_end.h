/*
 * Whether a run that the registry says is over is over still. It may have gone on since discovery
 * looked at it, and be in the middle of a line.
 *
 * What discovery noted of the files when it saw the end tells: as long as they are as they were then,
 * nobody went on. Once something was written behind it, discovery is asked to look at the run again,
 * and until it has, whatever is written is that of a run that goes on.
 */
#ifndef STREAM_RUN_END_H
#define STREAM_RUN_END_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/place.h"
#include "shm/registry.h"

struct channel;

struct run_end {
	enum registry_file files[CURSOR_FILES]; /* that the channel follows; REGISTRY_FILES: another */
	int64_t asked_ms;                       /* when discovery was asked; 0: never */
	uint64_t look;                          /* a look after this one answers */
};

/*
 * For a channel whose run is over. False: not known as yet; discovery is asked, those who wait are
 * woken in time. Where nobody can be asked, what the registry says is believed.
 */
bool run_end_is_sure(struct channel *channel);

#endif
