#include "follow/lore.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"

struct slice {
	struct offload_job job;
	struct generation *generation; /* owned reference */
	struct lore *lore;             /* of it; this job's while it runs */
	uint64_t upto;
	bool is_further;
};

static void
learn(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;

	slice->is_further = slice->lore->kind->learn(slice->lore, slice->generation, slice->upto);
}

static void
learned(struct offload_job *job)
{
	struct slice *slice = (struct slice *)job;
	struct generation *generation = slice->generation;
	struct source *source = generation->source;

	slice->lore->is_busy = false;
	slice->lore->looks_begun = source->looks_begun;
	if (slice->is_further)
		source_notify(source);
	else
		source->tell = true; /* nothing could be read, or kept: not at once again */
	free(slice);
	generation_unref(&generation);
	source->ops->release(source);
}

int
lore_reach(struct offload *offload, struct generation *generation, enum lore_subject subject,
           const struct lore_kind *kind, uint64_t upto)
{
	struct lore *lore = generation->lore[subject];
	struct slice *slice;

	if (!lore) {
		lore = kind->make();
		if (!lore)
			return -ENOMEM;
		lore->kind = kind;
		generation->lore[subject] = lore;
	}
	if (lore->is_busy)
		return -EAGAIN;
	if (lore->reached_bytes >= upto)
		return 0;
	slice = calloc(1, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	slice->generation = generation_ref(generation);
	slice->lore = lore;
	slice->upto = upto;
	lore->is_busy = true;
	generation->source->ops->hold(generation->source);
	offload_submit(offload, &slice->job, learn, learned);
	return -EAGAIN;
}

void
lore_forget(struct generation *generation, enum lore_subject subject)
{
	struct lore *lore = lore_of(generation, subject);

	generation->lore[subject] = NULL;
	lore->kind->free(lore);
}

struct lore *
lore_of(const struct generation *generation, enum lore_subject subject)
{
	struct lore *lore = generation->lore[subject];

	must(lore && !lore->is_busy);
	return lore;
}
