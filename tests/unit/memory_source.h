/* A source whose only generation lies in memory, and helper threads that read from it. */
#ifndef TESTS_MEMORY_SOURCE_H
#define TESTS_MEMORY_SOURCE_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/offload.h"
#include "follow/source.h"

static struct {
	struct source source;
	struct generation *generation; /* the test's reference */
	const uint8_t *bytes;
	bool is_cold;                  /* reads have to wait */
	bool is_broken;                /* reads fail, also where they may wait */
	_Atomic uint64_t bytes_waited_for;
	unsigned held, rewritten, told;
	struct source_listener listener;
	struct loop *loop;
	struct offload *offload;
} memory;

static int64_t
memory_read_waiting(struct generation *g, uint64_t offset, void *to, size_t length)
{
	(void)g;
	if (memory.is_broken)
		return -EIO;
	if (offset >= memory.generation->size_bytes)
		return 0;
	if (length > memory.generation->size_bytes - offset)
		length = (size_t)(memory.generation->size_bytes - offset);
	/* In pieces: whoever reads has to go on. */
	if (length > 100000)
		length = 100000;
	memcpy(to, memory.bytes + offset, length);
	memory.bytes_waited_for += length;
	return (int64_t)length;
}

static int64_t
memory_read(struct generation *g, uint64_t offset, void *to, size_t length)
{
	int64_t n = memory_read_waiting(g, offset, to, length);

	if (memory.is_cold)
		return -EAGAIN;
	if (n > 0)
		memory.bytes_waited_for -= (uint64_t)n;
	return n;
}

static void
memory_rewritten(struct generation *g)
{
	g->state = GENERATION_LOST;
	memory.rewritten++;
}

static void
memory_free(struct generation *g)
{
	free(g);
}

static void
memory_hold(struct source *source)
{
	(void)source;
	memory.held++;
}

static void
memory_release(struct source *source)
{
	(void)source;
	memory.held--;
}

static void
memory_tell(void *arg)
{
	(void)arg;
	memory.told++;
}

static const struct source_ops memory_ops = {
	.read = memory_read,
	.read_waiting = memory_read_waiting,
	.rewritten = memory_rewritten,
	.free_generation = memory_free,
	.hold = memory_hold,
	.release = memory_release,
};

/* The generation holds bytes, borrowed, from now on, and nobody knows anything of it. */
static void
memory_put(const void *bytes, size_t length)
{
	if (memory.generation)
		generation_unref(&memory.generation);
	memory.generation = calloc(1, sizeof(*memory.generation));
	ck_assert_ptr_nonnull(memory.generation);
	memory.generation->source = &memory.source;
	memory.generation->references = 1;
	memory.generation->size_bytes = length;
	memory.source.current = memory.generation;
	memory.bytes = bytes;
	memory.bytes_waited_for = 0;
}

static void
memory_set_up(void)
{
	memset(&memory, 0, sizeof(memory));
	memory.source.ops = &memory_ops;
	TAILQ_INIT(&memory.source.listeners);
	source_listen(&memory.source, &memory.listener, memory_tell, NULL);
	ck_assert_int_eq(loop_new(&memory.loop), 0);
	ck_assert_int_eq(offload_new(memory.loop, 2, &memory.offload), 0);
}

static void
memory_tear_down(void)
{
	ck_assert_uint_eq(offload_free(&memory.offload), 0);
	if (memory.generation)
		generation_unref(&memory.generation);
	ck_assert_uint_eq(memory.held, 0);
	loop_free(&memory.loop);
}

/* Until the listeners are called, or a job came back in vain. */
static void
memory_wait(void)
{
	unsigned told = memory.told;

	memory.source.tell = false;
	for (int turn = 0; memory.told == told && !memory.source.tell; turn++) {
		ck_assert_int_lt(turn, 1000);
		ck_assert_int_eq(loop_turn(memory.loop, 10000), 0);
	}
}

#endif
