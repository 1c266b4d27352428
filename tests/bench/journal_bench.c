/*
 * What it costs that many clients come back to a feed of many runs at once, while all of the runs are
 * written to: each asks of each run where the feed's journal takes over. The time for one question must
 * not depend on how many runs or clients there are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/must.h"
#include "stream/journal.h"

enum { ROUNDS = 4 }; /* extents of each run, while they come */

static void
keep_owner(struct journal_owner *owner)
{
	(void)owner;
}

static void
keep_generation(struct generation *generation)
{
	(void)generation;
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
note(struct journal *journal, struct journal_owner *owner, struct generation *generation, uint64_t offset)
{
	struct journal_entry entry = { .kind = JOURNAL_EXTENT, .owner = owner, .to = offset + 100 };

	entry.from = (struct place){ .generation = generation_ref(generation), .offset = offset };
	journal_append(journal, &entry);
}

/* In nanoseconds for a question. */
static double
measure(size_t clients, size_t runs)
{
	static const struct source_ops ops = { .free_generation = keep_generation };
	struct source source = { .ops = &ops };
	struct generation generation = { .source = &source, .references = 1 };
	struct journal_owner *owners = calloc(runs, sizeof(*owners));
	struct journal_reader *readers = calloc(clients, sizeof(*readers));
	struct journal journal;
	int64_t began_ns, took_ns;
	size_t found = 0;

	must(owners && readers);
	journal_init(&journal);
	for (size_t i = 0; i < runs; i++)
		owners[i] = (struct journal_owner){ .references = 1, .free = keep_owner };
	/* They come one by one, between what is written. */
	for (size_t i = 0; i < clients; i++) {
		journal_join(&journal, &readers[i]);
		note(&journal, &owners[i % runs], &generation, 100 * (i / runs));
	}
	for (size_t i = 0; i < runs * ROUNDS; i++)
		note(&journal, &owners[i * 7919 % runs], &generation, 1000000 + 100 * i);
	began_ns = cpu_ns();
	for (size_t run = 0; run < runs; run++)
		for (size_t i = 0; i < clients; i++)
			found += journal_first_extent(&readers[i], &owners[run], CURSOR_STDOUT) != NULL;
	took_ns = cpu_ns() - began_ns;
	must(found == clients * runs);
	for (size_t i = 0; i < clients; i++)
		journal_leave(&journal, &readers[i]);
	journal_fini(&journal);
	free(owners);
	free(readers);
	return (double)took_ns / (double)(clients * runs);
}

int
main(void)
{
	static const struct {
		size_t clients, runs;
	} sizes[] = { { 50, 200 }, { 50, 2000 }, { 500, 200 }, { 500, 2000 } };
	double first = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double ns = measure(sizes[i].clients, sizes[i].runs);

		if (i == 0)
			first = ns;
		printf("%zu clients come back to %zu runs: %.0f ns a question, %.1f of the first; %.0f ms in all\n",
		       sizes[i].clients, sizes[i].runs, ns, ns / first,
		       ns * (double)(sizes[i].clients * sizes[i].runs) / 1e6);
	}
	return 0;
}
