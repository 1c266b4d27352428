#include "follow_position.h"

#include <string.h>

static size_t
lines_before(const struct epoch *e, size_t offset)
{
	size_t lines = 0;

	for (size_t i = 0; i < offset; i++)
		lines += e->bytes[i] == '\n';
	return lines;
}

/* --- what must come ------------------------------------------------------------------------------- */

/* What somebody that this reader has been with since before saw of the epoch, with content; NULL: nothing. */
static const struct truth_sight *
sight_of(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct epoch *e = t->epochs[epoch];

	if (epoch < p->came_at)
		return NULL; /* others may have, and it was away */
	for (int i = 0; i < TRUTH_HUBS; i++)
		if (e->sights[i].is_seen && e->sights[i].incarnation == p->incarnations[i])
			return &e->sights[i];
	return NULL;
}

static bool
is_seen(const struct position *p, const struct truth *t, size_t epoch)
{
	return sight_of(p, t, epoch) != NULL;
}

/* Whether what is there of it is what another one begins with, or the other way round: too short to tell one
 * from a copy. */
static bool
is_alike(const struct truth *t, size_t epoch)
{
	const struct epoch *e = t->epochs[epoch];
	size_t length = e->kept < e->length ? e->kept : e->length;

	for (size_t i = 0; i < t->count; i++) {
		const struct epoch *other = t->epochs[i];
		size_t common = length < other->length ? length : other->length;

		if (i != epoch && common > 0 && memcmp(e->bytes, other->bytes, common) == 0)
			return true;
	}
	return false;
}

/* Emptied before anybody read of it: that is known, but not what a copy of it would hold. */
static bool
is_end_told(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct truth_sight *sight = sight_of(p, t, epoch);

	return p->has_gap && t->epochs[epoch]->is_truncated && sight && !sight->is_read;
}

/* Whether its end was: of one that was emptied in place, as long as the file is smaller than it was. */
static bool
is_end_seen(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct truth_sight *sight = sight_of(p, t, epoch);

	return sight && !sight->is_overgrown;
}

/* How much of an epoch can be read, by this reader. */
static size_t
kept_for(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct epoch *e = t->epochs[epoch];

	if (!e->is_truncated && is_seen(p, t, epoch) && !p->is_back && !p->is_led && epoch >= p->epoch)
		return e->length;
	return e->kept < e->length ? e->kept : e->length;
}

/* What the reader was in, or was to come to before this epoch, is nowhere any more: nor is it known
 * what came behind it. */
static bool
is_adrift(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct epoch *e = t->epochs[p->epoch];

	if (p->is_lost || (e->is_truncated && (p->offset == 0 || e->kept < p->offset)))
		return true;
	for (size_t k = p->epoch + 1; k <= epoch; k++)
		if (t->epochs[k - 1]->is_truncated && t->epochs[k - 1]->kept == 0)
			return true;
	return false;
}

/*
 * Whether a reader may leave an epoch at an offset for a later one. What was destroyed before
 * anybody saw it, or all of it without its file ever getting smaller, nobody can know of.
 */
static bool
may_leave(const struct position *p, const struct truth *t, size_t epoch, size_t offset)
{
	const struct epoch *e = t->epochs[epoch];
	bool is_untouched = epoch > p->epoch || !p->is_touched;

	if (offset >= e->length)
		return true;
	if (epoch < p->may_skip_to && (p->is_start || p->is_anywhere))
		return true;
	/* Who began when the file was gone need not get what was written to it after that. */
	if (epoch == p->epoch && epoch < p->may_skip_to && !p->is_touched && !p->is_back)
		return true;
	if (p->has_gap && (is_adrift(p, t, epoch) || offset >= kept_for(p, t, epoch)))
		return true;
	if ((e->is_beside && e->kept == 0) || (p->has_gap && is_untouched && is_alike(t, epoch)))
		return true;
	if (is_untouched && is_end_told(p, t, epoch))
		return true;
	/* A copy that nobody saw being made may be taken for the file itself. */
	if (e->is_truncated && !is_seen(p, t, epoch) && !(epoch == p->epoch && p->is_read) && offset >= e->kept)
		return true;
	/* Nothing tells whose copy a copy is, of what nobody has seen; but who was away meanwhile gets
	 * whatever lies there. */
	if (e->kept > 0 && !(e->is_truncated && (epoch == p->epoch || epoch >= p->away_to)))
		return false;
	return e->is_broken && is_untouched && !is_end_seen(p, t, epoch);
}

static bool
may_land(const struct position *p, const struct truth *t, size_t epoch)
{
	for (size_t e = p->epoch; e < epoch; e++)
		if (!may_leave(p, t, e, e == p->epoch ? p->offset : 0))
			return false;
	return true;
}

/* --- lines ----------------------------------------------------------------------------------------- */

static bool
take_at(struct position *p, const struct truth *t, size_t epoch, size_t offset, const char *text,
        bool is_partial, int64_t n, bool was_terminal)
{
	const struct epoch *e = t->epochs[epoch];
	size_t length = strlen(text), end = offset + length;
	bool is_finished = false;

	if (end > e->length || (length > 0 && memcmp(e->bytes + offset, text, length) != 0) ||
	    n != (int64_t)lines_before(e, offset) + 1)
		return false;
	if (is_partial) {
		if (length == 0)
			return false;
	} else if (end < e->length && e->bytes[end] == '\n') {
		end++;
	} else if (end + 1 < e->length && e->bytes[end] == '\r' && e->bytes[end + 1] == '\n') {
		end += 2;
	} else {
		/* Of a line without an end: only where no more was to come, and once. */
		if (length == 0 && (offset == 0 || e->bytes[offset - 1] == '\n' ||
		                    (p->is_finished && epoch == p->epoch && offset == p->offset)))
			return false;
		if (!was_terminal && !e->is_over && !(p->is_back && e->is_broken) && !e->is_beside)
			return false;
		is_finished = true;
	}
	if (truth_is_intact(t, epoch))
		p->is_read = true;
	else if (epoch != p->epoch)
		p->is_read = false;
	p->is_led &= !t->is_at_path || epoch < t->count - 1;
	p->epoch = epoch;
	p->offset = end;
	p->is_finished = is_finished;
	p->is_touched = true;
	p->is_anywhere = p->is_start = p->has_gap = p->is_lost = p->is_back = false;
	return true;
}

/* A line was finished before its end came, though both are looked at behind that. */
static bool
is_late_end(const struct position *p, const struct truth *t, const char *text, bool is_partial, int64_t n,
            bool was_terminal)
{
	const struct epoch *e = p->epoch < t->count ? t->epochs[p->epoch] : NULL;

	return e && p->offset > 0 && e->bytes[p->offset - 1] == '\n' && !*text && !is_partial &&
	       n == (int64_t)lines_before(e, p->offset) && (was_terminal || e->is_over);
}

static bool
is_at_path(const struct truth *t, size_t epoch)
{
	return t->is_at_path && epoch == t->count - 1;
}

/* Whether another epoch begins with all that was read of its own: nothing tells a reader that what
 * goes on there is not what it was in, where it could not know of the end of that, or what it was in is
 * nowhere any more, or emptied where it lay. (A copy that goes on otherwise tells, as long as the file is at its path.) */
static bool
has_twin(const struct position *p, const struct truth *t, size_t epoch)
{
	const struct epoch *e, *other = t->epochs[epoch];

	if (p->epoch >= t->count || epoch == p->epoch || p->offset == 0 || p->has_gap)
		return false;
	e = t->epochs[p->epoch];
	if (other->length < p->offset || memcmp(e->bytes, other->bytes, p->offset) != 0)
		return false;
	if (epoch < p->epoch)
		return p->is_back && p->is_lost; /* a copy of it is taken for its own, which is gone */
	if (!(p->is_back && p->is_lost) && !e->is_emptied_late && !may_leave(p, t, p->epoch, p->offset) &&
	    (is_end_seen(p, t, p->epoch) || (kept_for(p, t, p->epoch) > p->offset && is_at_path(t, epoch))))
		return false;
	for (size_t k = p->epoch + 1; k < epoch; k++)
		if (!may_leave(p, t, k, 0))
			return false;
	return true;
}

/* From the start of some line in this epoch on. */
static bool
take_anywhere(struct position *p, const struct truth *t, size_t epoch, const char *text, bool is_partial,
              int64_t n, bool was_terminal)
{
	const struct epoch *e = t->epochs[epoch];
	size_t offset = 0;
	int64_t line = 1;

	while (offset < e->length && line < n)
		line += e->bytes[offset++] == '\n';
	return line == n && take_at(p, t, epoch, offset, text, is_partial, n, was_terminal);
}

const char *
position_take_line(const struct position *p, const struct truth *t, const char *text, bool is_partial,
                   int64_t n, bool was_terminal, struct position next[POSITION_NEXT], size_t *count)
{
	const char *wrong = p->is_anywhere ? "not the start of a line" : "not what comes next";
	struct position at = *p;

	*count = 0;
	if (!p->is_anywhere && !p->has_gap && p->epoch < t->count &&
	    take_at(&at, t, p->epoch, p->offset, text, is_partial, n, was_terminal))
		next[(*count)++] = at;
	for (size_t e = 0; e < t->count; e++) {
		at = *p;
		if (p->is_anywhere) {
			if (e >= p->epoch && take_anywhere(&at, t, e, text, is_partial, n, was_terminal))
				next[(*count)++] = at;
			continue;
		}
		if (has_twin(p, t, e) && take_at(&at, t, e, p->offset, text, is_partial, n, was_terminal)) {
			at.is_doubtful = true; /* that is a copy, as far as is known */
			next[(*count)++] = at;
			continue;
		}
		/* What it is the start of: of what was not begun yet, the same epoch may follow a gap. */
		if (e < p->epoch + (p->is_touched || !p->has_gap) ||
		    !take_at(&at, t, e, 0, text, is_partial, n, was_terminal))
			continue;
		if (may_land(p, t, e))
			next[(*count)++] = at;
		else
			wrong = "something was left out";
	}
	if (*count == 0 && !p->is_anywhere && !p->has_gap && is_late_end(p, t, text, is_partial, n, was_terminal))
		next[(*count)++] = *p;
	if (*count > 0)
		return NULL;
	/* A gap may name what is lost between the halves of a copy and its original. */
	at = *p;
	if (p->has_gap && p->epoch < t->count &&
	    take_at(&at, t, p->epoch, p->offset, text, is_partial, n, was_terminal))
		return "a gap before what comes next";
	return wrong;
}

/* The last one with something in it before another. */
static size_t
ended_epoch(size_t e, const struct truth *t)
{
	do
		e -= e > 0;
	while (e > 0 && t->epochs[e]->length == 0);
	return e;
}

/* That of which an id names the end, where it is at the start of another. */
static size_t
named_epoch(const struct position *p, const struct truth *t)
{
	size_t e = p->epoch;

	if (!p->is_back || p->offset > 0 || e >= t->count)
		return e;
	return ended_epoch(e, t);
}

const char *
position_take_gap(struct position *p, const struct truth *t)
{
	bool is_due = false;

	for (size_t e = named_epoch(p, t); e < t->count; e++)
		is_due |= t->epochs[e]->is_broken || is_alike(t, e);
	for (size_t e = 0; e < p->epoch && e < t->count; e++)
		is_due |= t->epochs[e]->is_emptied_late && !truth_is_intact(t, e);
	/* Whoever is at the end of what is emptied cannot know that nothing more was in it. */
	if (p->epoch < t->count && p->offset == 0)
		p->is_doubtful |= t->epochs[ended_epoch(p->epoch, t)]->is_truncated;
	/* It may have gone through a copy of what was emptied, as one that came back to it. */
	p->is_doubtful |= p->epoch < t->count && t->epochs[p->epoch]->is_truncated;
	if (!is_due && !p->is_lost && !p->is_doubtful)
		return "a gap where nothing was lost";
	/* Of one that began somewhere it is not known what it has passed. */
	p->is_lost |= p->is_anywhere || (p->is_start && p->epoch < p->may_skip_to);
	p->has_gap = true;
	p->is_anywhere = p->is_start = false;
	return NULL;
}

/* A CR waits for its LF where nobody can know of more: at the end of the last, or of a copy of it that
 * is taken for the file. */
static bool
is_waiting_cr(const struct position *p, const struct truth *t, size_t epoch, size_t offset, size_t last)
{
	const struct epoch *e = t->epochs[epoch];

	if (offset >= e->length || e->bytes[offset] != '\r' ||
	    (offset + 1 != e->length && (offset + 1 != e->kept || !may_leave(p, t, epoch, offset + 1))))
		return false;
	while (last > epoch && may_leave(p, t, last, 0))
		last--;
	return last == epoch;
}

bool
position_has_all(const struct position *p, const struct truth *t, bool is_end)
{
	size_t last = t->count;

	for (size_t e = p->epoch + 1; e < t->count; e++) {
		struct position twin = *p;

		twin.epoch = e;
		if (has_twin(p, t, e) && position_has_all(&twin, t, is_end))
			return true;
	}
	if (p->is_anywhere || t->count == 0 || p->epoch >= t->count)
		return true;
	/* The last one with something in it. */
	while (last > 0 && t->epochs[last - 1]->length == 0)
		last--;
	if (last == 0 || p->epoch >= last)
		return true;
	last--;
	for (size_t e = p->epoch; e <= last; e++) {
		size_t offset = e == p->epoch ? p->offset : 0;
		const struct epoch *at = t->epochs[e];

		if (!is_end && is_waiting_cr(p, t, e, offset, last))
			continue;
		if (!may_leave(p, t, e, offset))
			return false;
		/* Behind a gap comes what is there. */
		if (e == last && offset < at->length && t->is_at_path && e == t->count - 1)
			return false;
	}
	return true;
}

bool
position_set_end(struct position *p, const struct truth *t, size_t empty_count)
{
	for (size_t i = 0; i < empty_count; i++)
		if (i + 1 >= t->count || t->epochs[t->count - 1 - i]->length > 0)
			return false;
	p->is_anywhere = p->is_start = false;
	if (t->count == 0)
		return true;
	p->epoch = t->count - 1 - empty_count;
	p->offset = t->epochs[p->epoch]->length;
	return true;
}

void
position_look_back(struct position *p, const struct truth *t)
{
	const struct epoch *e = p->epoch < t->count ? t->epochs[p->epoch] : NULL;
	size_t named;

	if (!e || !p->is_back)
		return;
	if (!truth_is_intact(t, p->epoch) && (p->offset == 0 || e->kept < p->offset))
		p->is_lost = true;
	named = named_epoch(p, t);
	p->is_lost |= named < p->epoch && t->epochs[named]->kept < t->epochs[named]->length;
	/* Where its own file is gone, any of those behind may be a copy, too. */
	p->is_doubtful |= e->is_truncated;
}
