#include "follow/succession.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "follow/place.h"

static void
replace_current(struct succession *s, struct file_generation *next)
{
	struct generation *old = s->source->current;

	must(!old->next || old->next == &next->generation);
	if (!old->next)
		old->next = generation_ref(&next->generation);
	/* One that was emptied was left when what it holds now was begun. */
	passed_note(&s->passed, old,
	            next->generation.identity == old->identity ? next->generation.begun_ms : s->seen_ms);
	s->source->current = &next->generation; /* takes the caller's reference */
	generation_unref(&old);
}

/* The next generation on the same file. */
static int
make_again(const struct succession *s, struct file_generation *old, const struct stat *stat,
           struct file_generation **ret_again)
{
	int error = file_generation_again(old, stat, clock_now_ms(), ret_again);

	if (!error)
		file_generation_set_begun(*ret_again, s->seen_ms, true);
	return error;
}

void
succession_begin(struct succession *s, struct file_generation *first)
{
	s->source->current->state = GENERATION_ENDED;
	replace_current(s, first);
}

bool
succession_lose_current(struct succession *s, const struct stat *stat)
{
	struct generation *g = s->source->current;
	struct file_generation *again;

	if (make_again(s, file_generation_of(g), stat, &again) < 0)
		return false;
	again->generation.changed_ms = clock_now_ms();
	g->state = GENERATION_LOST;
	g->lost_reason = "truncated";
	replace_current(s, again);
	return true;
}

/* --- copies of what the current file held ---------------------------------------------------------------- */

/* One that is a copy of what the file held, before it was emptied; what was written after that is lost. */
static struct generation *
make_copy(struct succession *s, struct beside_part *part, enum file_system file_system)
{
	struct generation *current = s->source->current;
	struct file_generation *g;

	if (file_generation_new(s->source, file_generation_of(current)->offload, part->fd, &part->stat,
	                        file_system, clock_now_ms(), &g) < 0)
		return NULL;
	part->fd = -1;
	g->generation.state = GENERATION_ENDED;
	file_generation_set_copy_of(g, current->identity);
	g->generation.known_to = g->generation.size_bytes;
	g->generation.known_fingerprint = part->fingerprint;
	g->generation.lost_reason = "truncated";
	return &g->generation;
}

/* Puts copies between a generation and the next one, which leads on from the last of them; without
 * memory, those that come first are missing, which is told. */
static const char *
lead_through(struct succession *s, struct beside_parts *copies, struct generation *next,
             struct generation **ret_first)
{
	const char *lost = copies->count > 0 ? copies->list[0].lost : copies->lost;

	*ret_first = generation_ref(next);
	for (size_t i = copies->count; i > 0; i--) {
		struct generation *copy = make_copy(s, &copies->list[i - 1], copies->file_system);

		if (!copy)
			return "truncated";
		copy->next = *ret_first; /* takes */
		*ret_first = copy;
	}
	return lost;
}

bool
succession_pass_copies(struct succession *s, const struct stat *stat, struct beside_parts *copies)
{
	struct generation *g = s->source->current;
	struct file_generation *again;
	const char *lost;

	if (make_again(s, file_generation_of(g), stat, &again) < 0)
		return false;
	again->generation.opened_size_bytes = 0;
	again->generation.changed_ms = clock_now_ms();
	lost = lead_through(s, copies, &again->generation, &g->next);
	/* What there was of this one was in the first of them. */
	g->state = g->size_bytes > 0 ? GENERATION_LOST : GENERATION_ENDED;
	g->lost_reason = g->size_bytes > 0 ? "truncated" : lost;
	for (; g != &again->generation; g = g->next)
		passed_note(&s->passed, g, s->seen_ms);
	g = s->source->current;
	s->source->current = &again->generation; /* takes */
	generation_unref(&g);
	return true;
}

/* --- those that come ------------------------------------------------------------------------------------- */

/* From one of them on. That something is missing before one counts as well: it is to be told. */
static bool
coming_has_content(const struct succession *s, size_t from)
{
	const struct generation *before = from > 0 ? &s->coming[from - 1]->generation : s->source->current;

	for (size_t i = from; i < s->coming_count; i++) {
		const struct generation *g = &s->coming[i]->generation;

		if (g->size_bytes > 0 || g->state == GENERATION_LOST || before->lost_reason)
			return true;
		before = g;
	}
	return false;
}

/* What comes first becomes current; what was lost before it was, was current for a moment. */
static void
shift(struct succession *s)
{
	struct generation *g = s->source->current;

	/* No look will find it as the current one any more. */
	if (g->state == GENERATION_LIVE && g->is_rewritten && !succession_lose(s, g)) {
		g->state = GENERATION_LOST;
		g->lost_reason = "truncated";
	}
	do {
		struct file_generation *next = s->coming[0];

		must(s->coming_count > 0);
		if (s->source->current->state == GENERATION_LIVE)
			s->source->current->state = GENERATION_ENDED;
		memmove(s->coming, s->coming + 1, --s->coming_count * sizeof(s->coming[0]));
		replace_current(s, next);
	} while (s->source->current->state == GENERATION_LOST);
	s->is_elsewhere = s->coming_count > 0;
}

void
succession_append(struct succession *s, struct file_generation *g)
{
	/* Rotated faster than it comes to rest: the oldest has rested long enough. */
	if (s->coming_count >= SUCCESSION_MOST_COMING - 1)
		shift(s);
	s->coming[s->coming_count++] = g;
}

void
succession_give_up_current(struct succession *s)
{
	s->source->current->state = GENERATION_LOST;
	s->source->current->lost_reason = "replaced";
	shift(s);
}

/* What comes becomes current once the old one has rested. */
static void
end_rotated(struct succession *s, int64_t rested_ms)
{
	int64_t now_ms = clock_now_ms();

	while (coming_has_content(s, 0) && !s->source->current->is_rewritten) {
		if (s->coming_since_ms == 0)
			s->coming_since_ms = now_ms;
		if (now_ms - s->coming_since_ms < rested_ms ||
		    now_ms - s->source->current->changed_ms < rested_ms)
			return;
		shift(s);
	}
	s->coming_since_ms = 0;
}

/* Whether it is one of those that come. */
static bool
find_coming(const struct succession *s, const struct generation *g, size_t *ret_index)
{
	for (size_t i = 0; i < s->coming_count; i++)
		if (&s->coming[i]->generation == g) {
			*ret_index = i;
			return true;
		}
	return false;
}

bool
succession_lose_coming(struct succession *s, struct generation *g, const struct stat *stat)
{
	struct file_generation *again;
	size_t index;

	if (!find_coming(s, g, &index) || s->coming_count == SUCCESSION_MOST_COMING ||
	    make_again(s, file_generation_of(g), stat, &again) < 0)
		return false;
	g->state = GENERATION_LOST;
	g->lost_reason = "truncated";
	g->next = generation_ref(&again->generation);
	memmove(s->coming + index + 2, s->coming + index + 1,
	        (s->coming_count - index - 1) * sizeof(s->coming[0]));
	s->coming[index + 1] = again;
	s->coming_count++;
	return true;
}

void
succession_drop_coming(struct succession *s)
{
	while (s->coming_count > 0) {
		struct generation *g = &s->coming[--s->coming_count]->generation;

		if (g->references > 1 && !g->next) {
			/* Somebody came back to it, from another process. */
			g->state = GENERATION_LOST;
			g->lost_reason = "replaced";
			g->next = generation_ref(s->source->current);
		}
		generation_unref(&g);
	}
	s->coming_since_ms = 0;
}

struct file_generation *
succession_last(const struct succession *s)
{
	return s->coming_count > 0 ? s->coming[s->coming_count - 1]
	                           : file_generation_of(s->source->current);
}

bool
succession_has_coming(const struct succession *s, uint32_t identity)
{
	for (size_t i = 0; i < s->coming_count; i++)
		if (s->coming[i]->generation.identity == identity)
			return true;
	return false;
}

bool
succession_has_coming_file(const struct succession *s, const struct stat *stat)
{
	for (size_t i = 0; i < s->coming_count; i++) {
		const struct file_generation *g = s->coming[i];

		if (g->fd >= 0 && g->device == stat->st_dev && g->inode == stat->st_ino)
			return true;
	}
	return false;
}

int
succession_find_coming(const struct succession *s, const struct cursor_mark *mark,
                       struct generation **ret_generation)
{
	for (size_t i = s->coming_count; i > 0; i--) {
		struct generation *g = &s->coming[i - 1]->generation;
		int error = g->state == GENERATION_LIVE ? place_holds(g, mark) : -ENOENT;

		if (!error)
			*ret_generation = g;
		if (error != -ENOENT)
			return error;
	}
	return -ENOENT;
}

/* --- those that trail ------------------------------------------------------------------------------------ */

static bool
has_content_behind(const struct succession *s, const struct generation *g)
{
	size_t index;

	while (g->next) {
		g = g->next;
		if (g->size_bytes > 0 || g->lost_reason)
			return true;
	}
	/* It may lead to one that comes, past those before that. */
	return coming_has_content(s, find_coming(s, g, &index) ? index + 1 : 0);
}

/* Whether no more is to be expected of one that was rotated away. */
static bool
is_past(const struct succession *s, const struct generation *g, int64_t rested_ms)
{
	return has_content_behind(s, g) && clock_now_ms() - g->changed_ms >= rested_ms;
}

static void
end_trailing(struct succession *s, int64_t rested_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->trailing_count; i++) {
		struct generation *g = &s->trailing[i]->generation;

		if (g->state == GENERATION_LIVE && is_past(s, g, rested_ms))
			g->state = GENERATION_ENDED;
		if (g->state == GENERATION_LIVE && g->references > 1)
			s->trailing[kept++] = s->trailing[i];
		else
			generation_unref(&g);
	}
	s->trailing_count = kept;
}

void
succession_trail(struct succession *s, struct generation *first, int64_t rested_ms)
{
	for (struct generation *g = first;
	     g && g != s->source->current && g != &succession_last(s)->generation; g = g->next) {
		if (g->lost_reason || is_past(s, g, rested_ms) || s->trailing_count == SUCCESSION_MOST_TRAILING)
			continue;
		g->state = GENERATION_LIVE;
		s->trailing[s->trailing_count++] = file_generation_of(generation_ref(g));
	}
}

void
succession_end_rested(struct succession *s, int64_t rested_ms)
{
	end_rotated(s, rested_ms);
	end_trailing(s, rested_ms);
	s->source->is_rotating = coming_has_content(s, 0);
	for (size_t i = 0; i < s->trailing_count; i++)
		s->source->is_rotating |= has_content_behind(s, &s->trailing[i]->generation);
}

/* --- any of them ------------------------------------------------------------------------------------------ */

/* One that was left behind by rotation: what it holds now comes before what follows it. */
static void
lose_passed(struct succession *s, struct generation *g)
{
	struct file_generation *file = file_generation_of(g), *again = NULL;
	struct stat stat;

	if (!__atomic_load_n(&file->is_stale, __ATOMIC_RELAXED) && fstat(file->fd, &stat) == 0 &&
	    make_again(s, file, &stat, &again) == 0) {
		again->generation.state = GENERATION_ENDED;
		again->generation.next = g->next; /* takes */
		g->next = &again->generation;     /* takes */
	}
	for (size_t i = 0; again && i < s->trailing_count; i++)
		if (s->trailing[i] == file) {
			again->generation.state = GENERATION_LIVE;
			s->trailing[i] = file_generation_of(generation_ref(&again->generation));
			generation_unref(&(struct generation *){ g });
		}
	g->state = GENERATION_LOST;
	g->lost_reason = "truncated";
}

bool
succession_lose(struct succession *s, struct generation *g)
{
	bool is_current = g == s->source->current;
	struct stat stat;
	size_t index;

	s->seen_ms = clock_wall_ms();
	if (!is_current && !find_coming(s, g, &index)) {
		lose_passed(s, g);
		return true;
	}
	if (fstat(file_generation_of(g)->fd, &stat) < 0)
		return false;
	return is_current ? succession_lose_current(s, &stat) : succession_lose_coming(s, g, &stat);
}

void
succession_fini(struct succession *s)
{
	succession_drop_coming(s);
	while (s->trailing_count > 0) {
		struct generation *g = &s->trailing[--s->trailing_count]->generation;

		generation_unref(&g);
	}
	passed_fini(&s->passed);
}
