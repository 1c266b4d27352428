#include "follow/rotated.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "follow/file_generation.h"
#include "follow/neighbours.h"
#include "follow/place.h"
#include "follow/rotated_search.h"

enum {
	MOST_ANSWERS = 64,   /* remembered */
	REMEMBER_MS = 5000,
};

struct job {
	struct offload_job job;
	struct rotated *rotated;
	struct rotated_search search;
};

struct answer {
	struct cursor_mark mark;
	struct generation *generation; /* owned reference; NULL: none was found */
	int error;       /* why */
	int64_t at_ms;
	uint64_t looked; /* the source had, at that time */
	uint32_t current; /* serial of the generation that was current then */
};

struct rotated {
	struct source *source;
	struct offload *offload;
	const struct rotated_ops *ops; /* borrowed */
	const struct passed *passed; /* borrowed */
	int runs_dir_fd;
	char *directory;  /* owned */
	const char *name; /* in path */
	bool is_searching;
	size_t answer_count;
	struct answer answers[MOST_ANSWERS];
};

struct rotated *
rotated_new(struct source *source, struct offload *offload, const struct rotated_ops *ops,
            const struct passed *passed, int runs_dir_fd, const char *path)
{
	struct rotated *r = calloc(1, sizeof(*r));
	const char *slash = strrchr(path, '/');

	must(slash);
	if (!r)
		return NULL;
	r->source = source;
	r->offload = offload;
	r->ops = ops;
	r->passed = passed;
	r->runs_dir_fd = runs_dir_fd;
	r->name = slash + 1;
	r->directory = strndup(path, (size_t)(slash - path));
	if (!r->directory) {
		free(r);
		return NULL;
	}
	return r;
}

static void
forget(struct rotated *r, size_t index)
{
	if (r->answers[index].generation)
		generation_unref(&r->answers[index].generation);
	r->answers[index] = r->answers[--r->answer_count];
}

void
rotated_free(struct rotated **rotated)
{
	if (!*rotated)
		return;
	must(!(*rotated)->is_searching);
	while ((*rotated)->answer_count > 0)
		forget(*rotated, 0);
	free((*rotated)->directory);
	free(*rotated);
	*rotated = NULL;
}

void
rotated_relax(struct rotated *r, int64_t now_ms)
{
	for (size_t i = r->answer_count; i > 0; i--)
		if (now_ms - r->answers[i - 1].at_ms > REMEMBER_MS)
			forget(r, i - 1);
}

/* --- what was found ----------------------------------------------------------------------------------------- */

static void
remember(struct rotated *r, const struct cursor_mark *mark, struct generation *generation, int error)
{
	if (r->answer_count == MOST_ANSWERS)
		forget(r, 0);
	r->answers[r->answer_count++] = (struct answer){
		.mark = *mark,
		.generation = generation ? generation_ref(generation) : NULL,
		.error = error,
		.at_ms = clock_now_ms(),
		.looked = r->source->looked,
		.current = r->source->current->serial,
	};
}

/* Makes generations of what was found, the last leading to the current one. */
static void
make_chain(struct rotated *r, struct rotated_search *s)
{
	struct generation *next = generation_ref(s->current);

	while (s->count > 0) {
		struct rotated_part *part = &s->parts[--s->count];
		struct file_generation *g;

		if (file_generation_new(r->source, r->offload, part->fd, &part->stat, s->file_system,
		                        clock_now_ms(), &g) < 0) {
			fd_close(&part->fd);
			continue;
		}
		g->generation.state = GENERATION_ENDED;
		if (part->copy_of)
			file_generation_set_copy_of(g, part->copy_of);
		g->generation.lost_reason = part->lost;
		g->generation.next = next; /* takes */
		next = &g->generation;
	}
	/* (Who looked for a mark looked for nothing before it.) */
	if (s->older_lost || rotated_search_is_for_oldest(s)) {
		next->older_lost = s->older_lost;
		next->older_lost_ms = s->older_lost_ms;
	}
	if (next != s->current) {
		r->ops->found(r->source, next);
		remember(r, &s->mark, next, 0);
	} else {
		remember(r, &s->mark, NULL, s->error ? s->error : -ENOMEM);
	}
	generation_unref(&next);
}

/* What no look has come upon yet may be of what the current file held, or come behind it: that is for a
 * look to find, and not to be there twice. */
static bool
is_all_past(const struct rotated *r, const struct rotated_search *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!r->ops->is_noted(r->source, s->parts[i].identity))
			return false;
	return true;
}

/* What comes behind the current one is not before it as well. */
static void
drop_coming(const struct rotated *r, struct rotated_search *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->current == r->source->current && r->ops->is_coming(r->source, s->parts[i].identity))
			fd_close(&s->parts[i].fd);
		else
			s->parts[kept++] = s->parts[i];
	if (kept == 0 && s->count > 0)
		s->error = -ENOENT;
	s->count = kept;
}

static void
search(struct offload_job *job)
{
	rotated_search_run(&((struct job *)job)->search);
}

static void
searched(struct offload_job *offload_job)
{
	struct job *job = (struct job *)offload_job;
	struct rotated_search *s = &job->search;
	struct rotated *r = job->rotated;
	struct source *source = r->source;
	bool are_ends_same = source->current == s->ends[0] &&
	                     source_latest(source) == s->ends[1];

	r->is_searching = false;
	if (are_ends_same && s->current && !s->is_rewritten && is_all_past(r, s) &&
	    (file_generation_of(s->current)->fd < 0 || s->error ||
	     file_generation_size(&s->current_stat) >= s->current->size_bytes)) {
		drop_coming(r, s);
		make_chain(r, s);
		source_notify(source);
	} else {
		/* Rotated or emptied meanwhile: what was current may be missing in what was found, or be
		 * there twice. It is searched again, when that was seen. */
		if (are_ends_same && s->is_rewritten)
			source_rewritten(s->current);
		source_refresh(source);
	}
	rotated_search_fini(s);
	free(job);
	source->ops->release(source);
}

static bool
is_same(const struct cursor_mark *a, const struct cursor_mark *b)
{
	return a->offset == b->offset && a->identity == b->identity && a->fingerprint == b->fingerprint &&
	       a->begun_ms == b->begun_ms;
}

/* Logs begin alike: which copy so few bytes are of, nothing but a search tells; and that for as long as the file
 * holds what it held then. */
static bool
is_of_now(const struct rotated *r, const struct answer *answer)
{
	return !answer->generation || !answer->generation->copy_of || !cursor_mark_is_short(&answer->mark) ||
	       answer->current == r->source->current->serial;
}

/* The generation of a chain that holds the mark, of the file that it names. */
static int
find_in_chain(const struct rotated *r, struct generation *first, const struct cursor_mark *mark,
              struct generation **ret_generation)
{
	for (struct generation *g = first; g && g != r->source->current && g != source_latest(r->source);
	     g = g->next) {
		bool is_out = g->state == GENERATION_LOST || (cursor_mark_is_short(mark) && g->copy_of);
		int error = is_out ? -ENOENT : place_holds(g, mark);

		if (!error)
			*ret_generation = g;
		if (error != -ENOENT)
			return error;
	}
	return -ENOENT;
}

int
rotated_find(struct rotated *r, const struct cursor_mark *mark, struct generation **ret_generation)
{
	struct job *job;

	for (size_t i = 0; i < r->answer_count; i++) {
		struct generation *g = r->answers[i].generation;
		int error;

		/* What was not there may be by now, and what was there may be lost. */
		if (g ? g->state == GENERATION_LOST : r->answers[i].looked != r->source->looked)
			continue;
		if (is_same(&r->answers[i].mark, mark) && is_of_now(r, &r->answers[i])) {
			if (g)
				*ret_generation = g;
			return g ? 0 : r->answers[i].error;
		}
		/* Those who were in the same file share it. */
		error = g ? find_in_chain(r, g, mark, ret_generation) : -ENOENT;
		if (error != -ENOENT)
			return error;
	}
	if (r->is_searching)
		return -EAGAIN;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	if (rotated_search_init(&job->search, r->source, r->passed, mark, r->runs_dir_fd, r->directory,
	                        r->name) < 0) {
		free(job);
		return -ENOMEM;
	}
	job->rotated = r;
	r->is_searching = true;
	r->source->ops->hold(r->source);
	offload_submit(r->offload, &job->job, search, searched);
	return -EAGAIN;
}
