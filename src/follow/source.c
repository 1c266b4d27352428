#include "follow/source.h"

#include "base/must.h"

struct generation *
generation_ref(struct generation *generation)
{
	generation->references++;
	return generation;
}

void
generation_unref(struct generation **generation)
{
	struct generation *g = *generation;

	*generation = NULL;
	/* A chain of generations that only its head held goes in a loop, not in a recursion. */
	while (g) {
		struct generation *next = g->next;

		must(g->references > 0);
		if (--g->references > 0)
			break;
		for (int i = 0; i < LORE_SUBJECTS; i++)
			if (g->lore[i])
				g->lore[i]->kind->free(g->lore[i]);
		g->source->ops->free_generation(g);
		g = next;
	}
}

int64_t
source_read(struct generation *generation, uint64_t offset, void *to, size_t length)
{
	return generation->source->ops->read(generation, offset, to, length);
}

bool
source_may_have_copies(struct source *source, int64_t since_ms)
{
	return source->ops->may_have_copies && source->ops->may_have_copies(source, since_ms);
}

bool
source_was_emptied(struct source *source, uint32_t identity, int64_t since_ms)
{
	return source->ops->was_emptied && source->ops->was_emptied(source, identity, since_ms);
}

struct generation *
source_latest(struct source *source)
{
	return source->ops->latest ? source->ops->latest(source) : source->current;
}

bool
source_is_ready(const struct source *source)
{
	return source->is_ready && !source->current->is_rewritten;
}

void
source_refresh(struct source *source)
{
	source->ops->refresh(source);
}

bool
source_is_fresh(struct source *source, uint64_t asked)
{
	if (source->looked > asked)
		return true;
	source_refresh(source);
	return false;
}

void
source_rewritten(struct generation *generation)
{
	if (generation->state == GENERATION_LOST || generation->is_rewritten)
		return;
	generation->is_rewritten = true;
	generation->source->ops->rewritten(generation);
}

void
source_listen(struct source *source, struct source_listener *listener, source_listener_fn *fn,
              void *arg)
{
	listener->fn = fn;
	listener->arg = arg;
	TAILQ_INSERT_TAIL(&source->listeners, listener, entry);
}

void
source_unlisten(struct source *source, struct source_listener *listener)
{
	TAILQ_REMOVE(&source->listeners, listener, entry);
}

void
source_notify(struct source *source)
{
	struct source_listener *listener;

	TAILQ_FOREACH (listener, &source->listeners, entry)
		listener->fn(listener->arg);
}
