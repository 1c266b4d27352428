/* Where a reader of a message bus begins. */
#ifndef STREAM_MESSAGE_START_H
#define STREAM_MESSAGE_START_H

#include "stream/start.h"

/* What a client gets that comes without an id, or with one that is not there any more. */
enum { MESSAGE_START_TAIL = 20 };

start_resolve_fn message_start_resolve;

#endif
