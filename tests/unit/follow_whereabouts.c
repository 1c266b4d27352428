#include "follow_whereabouts.h"

#include <check.h>
#include <string.h>

static bool
is_same(const struct position *a, const struct position *b)
{
	return a->epoch == b->epoch && a->offset == b->offset && a->is_finished == b->is_finished &&
	       a->is_anywhere == b->is_anywhere && a->is_start == b->is_start && a->has_gap == b->has_gap &&
	       a->is_lost == b->is_lost && a->is_doubtful == b->is_doubtful && a->is_touched == b->is_touched &&
	       a->is_read == b->is_read && a->is_back == b->is_back && a->is_led == b->is_led;
}

static void
add(struct whereabouts *w, const struct position *at)
{
	for (size_t i = 0; i < w->count; i++)
		if (is_same(&w->at[i], at))
			return;
	ck_assert_uint_lt(w->count, WHEREABOUTS_MOST);
	w->at[w->count++] = *at;
}

void
whereabouts_set(struct whereabouts *w, struct position at)
{
	w->count = 1;
	w->at[0] = at;
}

void
whereabouts_copy(struct whereabouts *to, const struct whereabouts *from)
{
	to->count = from->count;
	memcpy(to->at, from->at, from->count * sizeof(from->at[0]));
}

const char *
whereabouts_take_line(struct whereabouts *w, const struct truth *t, const char *text, bool is_partial,
                      int64_t n, bool was_terminal)
{
	static struct whereabouts all;
	const char *wrong = NULL;

	all.count = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct position next[POSITION_NEXT];
		size_t count;
		const char *why = position_take_line(&w->at[i], t, text, is_partial, n, was_terminal, next, &count);

		if (!wrong)
			wrong = why;
		for (size_t k = 0; k < count; k++)
			add(&all, &next[k]);
	}
	if (all.count == 0)
		return wrong;
	whereabouts_copy(w, &all);
	return NULL;
}

const char *
whereabouts_take_gap(struct whereabouts *w, const struct truth *t)
{
	static struct whereabouts all;
	const char *wrong = NULL;

	all.count = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct position at = w->at[i];
		const char *why = position_take_gap(&at, t);

		if (!why)
			add(&all, &at);
		else if (!wrong)
			wrong = why;
	}
	if (all.count == 0)
		return wrong;
	whereabouts_copy(w, &all);
	return NULL;
}

bool
whereabouts_has_all(const struct whereabouts *w, const struct truth *t, bool is_end)
{
	for (size_t i = 0; i < w->count; i++)
		if (position_has_all(&w->at[i], t, is_end))
			return true;
	return false;
}

void
whereabouts_set_end(struct whereabouts *w, const struct truth *t)
{
	static struct whereabouts all;

	all.count = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct position at = w->at[i];

		if (!at.is_anywhere)
			add(&all, &at);
		for (size_t empty_count = 0; w->at[i].is_anywhere && position_set_end(&at, t, empty_count); empty_count++)
			add(&all, &at);
	}
	whereabouts_copy(w, &all);
}

void
whereabouts_look_back(struct whereabouts *w, const struct truth *t)
{
	for (size_t i = 0; i < w->count; i++)
		position_look_back(&w->at[i], t);
}
