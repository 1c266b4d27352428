#include "stream/run_end.h"

#include <errno.h>

#include "base/clock.h"
#include "shm/bell.h"
#include "stream/channel.h"

enum { ASK_AGAIN_MS = 100 }; /* whether it has looked: nobody rings when nothing is new */

/* Whether no file is another than at the end; and when one last changed. */
static bool
is_as_noted(const struct channel *c, int64_t *ret_changed_ms)
{
	const struct registry_ending *ending = &c->run->ending;
	bool is_same = ending->is_known;

	*ret_changed_ms = 0;
	for (int i = 0; i < CURSOR_FILES; i++) {
		enum registry_file file = c->end.files[i];
		const struct generation *g = c->sources[i]->current;

		if (!c->followers[i] || file == REGISTRY_FILES)
			continue;
		if (g->changed_ms > *ret_changed_ms)
			*ret_changed_ms = g->changed_ms;
		is_same &= g->size_bytes == ending->files[file].bytes &&
		           (g->size_bytes == 0 || g->identity == ending->files[file].identity);
	}
	return is_same;
}

/* What the look found may not have been taken in yet. */
static bool
is_up_to_date(const struct channel *c)
{
	struct registry_run now;

	return registry_at(c->hub->registry, c->key.slot, &now) < 0 || now.version == c->run->version;
}

bool
run_end_is_sure(struct channel *c)
{
	struct run_end *end = &c->end;
	int64_t changed_ms, now_ms;
	int answered;

	if (c->hub->discovery_bell_fd < 0 || is_as_noted(c, &changed_ms) || changed_ms == 0)
		return true;
	now_ms = clock_now_ms();
	answered = registry_look_answered(c->hub->registry, end->look);
	/* A look that left it out is none. */
	if (answered > 0 && registry_is_left_out(c->hub->registry, c->key.slot))
		answered = -EAGAIN;
	if (end->asked_ms == 0 || end->asked_ms < changed_ms || answered < 0) {
		end->look = registry_looks_begun(c->hub->registry);
		end->asked_ms = bell_ring(c->hub->discovery_bell_fd, c->key.slot) ? now_ms : 0;
	} else if (answered > 0) {
		return is_up_to_date(c);
	}
	channel_wake_at(c, now_ms + ASK_AGAIN_MS);
	return false;
}
