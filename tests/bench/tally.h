/*
 * What one client received of the lines 1 … expected: each of them once and in order, or else
 * how many are missing, came again, or came after a later one. As long as all is well a tally
 * is two numbers; the first fault gives it a bitmap, so the verdict is exact.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct tally {
	uint64_t expected;
	uint64_t next;       /* without a bitmap: 1 … next-1 came, in order */
	uint64_t highest;    /* with one: the highest that came */
	uint64_t distinct;   /* with one: how many of 1 … expected came at least once */
	uint64_t *seen;      /* NULL until the first fault */
	uint64_t repeated;
	uint64_t disordered; /* first arrivals below highest */
	uint64_t foreign;    /* outside 1 … expected */
};

void tally_init(struct tally *t, uint64_t expected);
void tally_fini(struct tally *t);

/* The slow half of tally_add(). Aborts when memory ran out: a measurement that cannot count. */
void tally_add_fault(struct tally *t, uint64_t seq);

static inline void tally_add(struct tally *t, uint64_t seq)
{
	if (__builtin_expect(seq == t->next && !t->seen && seq <= t->expected, 1))
		t->next++;
	else
		tally_add_fault(t, seq);
}

uint64_t tally_missing(const struct tally *t);

static inline bool tally_is_complete(const struct tally *t)
{
	return t->seen ? t->distinct == t->expected : t->next > t->expected;
}

#endif
