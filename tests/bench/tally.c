#include "tally.h"

#include <stdlib.h>

#include "base/must.h"

void
tally_init(struct tally *t, uint64_t expected)
{
	*t = (struct tally){ .expected = expected, .next = 1 };
}

void
tally_fini(struct tally *t)
{
	free(t->seen);
	t->seen = NULL;
}

static void
begin_bitmap(struct tally *t)
{
	t->seen = calloc(t->expected / 64 + 1, sizeof(*t->seen));
	must(t->seen);
	for (uint64_t seq = 1; seq < t->next; seq++)
		t->seen[seq / 64] |= UINT64_C(1) << seq % 64;
	t->distinct = t->highest = t->next - 1;
}

void
tally_add_fault(struct tally *t, uint64_t seq)
{
	if (seq < 1 || seq > t->expected) {
		t->foreign++;
		return;
	}
	if (!t->seen)
		begin_bitmap(t);
	uint64_t bit = UINT64_C(1) << seq % 64;
	if (t->seen[seq / 64] & bit) {
		t->repeated++;
		return;
	}
	t->seen[seq / 64] |= bit;
	t->distinct++;
	if (seq < t->highest)
		t->disordered++;
	else
		t->highest = seq;
}

uint64_t
tally_missing(const struct tally *t)
{
	return t->expected - (t->seen ? t->distinct : t->next - 1);
}
