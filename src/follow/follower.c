#include "follow/follower.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "follow/follower_state.h"

/* For how long what was rotated away is not to be written to, before it is taken for finished. */
static int64_t
rested_ms(const struct follower *f)
{
	return f->set->settings->api.sse.poll_interval_ms;
}

/* --- what a look says ------------------------------------------------------------------------------------ */

static void
know(struct generation *g, const struct look_known *known)
{
	if (g->known_to > 0)
		return;
	g->known_to = known->to;
	g->known_fingerprint = known->fingerprint;
}

static void
resize_others(struct follower *f, const struct look *look)
{
	for (size_t i = 0; i < look->other_count; i++) {
		struct generation *g = look->others[i].generation;
		const struct stat *stat = &look->others[i].stat;

		if (stat->st_size < 0 || g->state != GENERATION_LIVE)
			continue;
		if (i < look->coming_count && (look->others[i].known.is_other || g->is_rewritten)) {
			(void)succession_lose_coming(&f->succession, g, stat);
			continue;
		}
		know(g, &look->others[i].known);
		if (file_generation_size(stat) > g->size_bytes) {
			file_generation_grow(g, stat);
		} else if (file_generation_size(stat) == g->size_bytes) {
			file_generation_suspect(g, stat);
		} else if (i >= look->coming_count) {
			g->state = GENERATION_LOST;
			g->lost_reason = "truncated";
		} else {
			(void)succession_lose_coming(&f->succession, g, stat);
		}
	}
}

/* Where there was nothing before: what the first look finds is history; what appears later is new,
 * all of it. */
static void
begin(struct follower *f, struct file_generation *first, const struct stat *stat)
{
	if (f->source.is_ready) {
		first->generation.opened_size_bytes = 0;
		file_generation_grow(&first->generation, stat);
	}
	succession_begin(&f->succession, first);
}

/* Takes what was found, in order. lost: why something before it is; known: of what is at the path. */
static int
take(struct follower *f, int *fd, const struct stat *stat, enum file_system file_system, const char *lost,
     const struct look_known *known)
{
	struct file_generation *g;

	if (file_generation_new(&f->source, f->set->offload, *fd, stat, file_system, clock_now_ms(), &g) < 0)
		return -ENOMEM;
	*fd = -1;
	file_generation_set_begun(g, f->succession.seen_ms, false);
	if (known)
		know(&g->generation, known);
	if (lost)
		succession_last(&f->succession)->generation.lost_reason = lost;
	if (f->source.current->identity == 0) {
		begin(f, g, stat);
		return 0;
	}
	if (known) {
		g->generation.opened_size_bytes = 0;
		file_generation_grow(&g->generation, stat);
	}
	succession_append(&f->succession, g);
	return 0;
}

static void
take_found(struct follower *f, struct look *look)
{
	bool is_known = look->found_fd >= 0 &&
	                succession_has_coming_file(&f->succession, &look->found_stat);

	for (size_t i = 0; i < look->between.count && !look->is_at_path && !look->has_failed; i++) {
		struct beside_part *part = &look->between.list[i];

		look->has_failed = take(f, &part->fd, &part->stat, look->between.file_system, part->lost,
		                        NULL) < 0;
	}
	if (!is_known && look->found_fd >= 0 && !look->has_failed)
		look->has_failed = take(f, &look->found_fd, &look->found_stat, look->found_file_system,
		                        look->between.lost, &look->found_known) < 0;
	if (f->succession.coming_count > 0 &&
	    (__atomic_load_n(&follower_current(f)->is_stale, __ATOMIC_RELAXED) ||
	     (f->source.current->is_rewritten && look->stat.st_size < 0)))
		succession_give_up_current(&f->succession);
}

static bool
has_copies(const struct look *look)
{
	return look->between.count > 0 || look->between.lost;
}

void
follower_apply(struct follower *f, struct look *look)
{
	struct generation *g = f->source.current;
	uint64_t size_before_bytes = g->size_bytes;
	size_t trailing_before = f->succession.trailing_count;
	bool tell;

	f->succession.seen_ms = look->seen_ms;
	if (look->current != g || g->is_rewritten != look->was_rewritten ||
	    (look->is_at_path && has_copies(look) && look->known.offset != g->known_to)) {
		/* Its bytes were found to be others meanwhile, or more of it was read, of which one of the
		 * copies may be: what was seen is about the past. */
		beside_forget(&f->beside, &look->between);
		look_soon(f);
		return;
	}
	if (look->is_at_path && has_copies(look)) {
		if (!succession_pass_copies(&f->succession, &look->stat, &look->between)) {
			beside_forget(&f->beside, &look->between);
			look->has_failed = true;
		}
	} else if (look->stat.st_size >= 0) {
		if (file_generation_size(&look->stat) < g->size_bytes || look->is_other)
			look->has_failed |= !succession_lose_current(&f->succession, &look->stat);
		else if (file_generation_size(&look->stat) > g->size_bytes)
			file_generation_grow(g, &look->stat);
		else
			file_generation_suspect(g, &look->stat);
	}
	f->succession.is_elsewhere = !look->is_at_path && follower_current(f)->fd >= 0;
	if (look->is_at_path)
		succession_drop_coming(&f->succession);
	resize_others(f, look);
	take_found(f, look);
	succession_end_rested(&f->succession, rested_ms(f));
	f->has_failed = look->has_failed;
	tell = f->source.current != g || g->size_bytes != size_before_bytes || g->is_suspect ||
	       trailing_before > 0;
	if (!look->has_failed) {
		tell |= f->source.tell || !f->source.is_ready;
		f->source.is_ready = true;
		f->source.looked_ms = look->began_ms;
		f->source.looked = look->number;
		f->source.tell = false;
	}
	if (tell)
		source_notify(&f->source);
}

/* --- what others ask about it ------------------------------------------------------------------------------ */

static void
trail(struct source *source, struct generation *first)
{
	struct follower *f = (struct follower *)source;

	succession_trail(&f->succession, first, rested_ms(f));
	if (f->succession.trailing_count > 0)
		look_soon(f);
}

static bool
is_noted(struct source *source, uint32_t identity)
{
	struct follower *f = (struct follower *)source;
	bool is_noted = !f->look && beside_is_noted(&f->beside, identity);

	f->look_beside |= !is_noted;
	return is_noted;
}

static bool
is_coming(const struct source *source, uint32_t identity)
{
	return succession_has_coming(&((const struct follower *)source)->succession, identity);
}

static const struct rotated_ops rotated_ops = { .found = trail, .is_noted = is_noted, .is_coming = is_coming };

static int
find_rotated(struct source *source, const struct cursor_mark *mark,
             struct generation **ret_generation)
{
	struct follower *f = (struct follower *)source;
	/* Another process may have been quicker to leave the current one behind. */
	int error = succession_find_coming(&f->succession, mark, ret_generation);

	if (error != -ENOENT)
		return error;
	if (!f->rotated)
		f->rotated = rotated_new(source, f->set->offload, &rotated_ops, &f->succession.passed,
		                         f->set->runs_dir_fd, f->path);
	return f->rotated ? rotated_find(f->rotated, mark, ret_generation) : -ENOMEM;
}

static struct generation *
latest(struct source *source)
{
	return &succession_last(&((struct follower *)source)->succession)->generation;
}

static void
rewritten(struct generation *generation)
{
	struct follower *f = (struct follower *)generation->source;

	/* What the current file held in between may lie beside it: only a look can tell. */
	if (generation != f->source.current && succession_lose(&f->succession, generation)) {
		source_notify(&f->source);
	} else {
		f->source.tell = true;
		look_soon(f);
	}
}

static void
hold(struct source *source)
{
	((struct follower *)source)->references++;
}

static void
release(struct source *source)
{
	struct follower *f = (struct follower *)source;

	follower_release(&f);
}

static void
refresh(struct source *source)
{
	struct follower *f = (struct follower *)source;

	source->tell = true;
	look_soon(f);
}

/* Those that lay there when it was first looked at, or that were made of what was seen to be emptied. */
static bool
may_have_copies(struct source *source, int64_t since_ms)
{
	const struct follower *f = (const struct follower *)source;

	return f->look || beside_has_since(&f->beside, since_ms) ||
	       passed_was_emptied(&f->succession.passed, source->current->identity, since_ms);
}

static bool
was_emptied(struct source *source, uint32_t identity, int64_t since_ms)
{
	const struct follower *f = (const struct follower *)source;

	return passed_was_emptied(&f->succession.passed, identity, since_ms);
}

static const struct source_ops follower_ops = {
	.may_have_copies = may_have_copies,
	.was_emptied = was_emptied,
	.read = file_generation_read,
	.read_waiting = file_generation_read_waiting,
	.hole_end = file_generation_hole_end,
	.is_being_written = file_generation_is_being_written,
	.find = find_rotated,
	.latest = latest,
	.refresh = refresh,
	.rewritten = rewritten,
	.free_generation = file_generation_free,
	.hold = hold,
	.release = release,
};

struct source *
follower_source(struct follower *f)
{
	return &f->source;
}

/* --- life ------------------------------------------------------------------------------------------- */

struct follower *
follower_new(struct followers *set, const char *directory, const char *name)
{
	size_t directory_length = strlen(directory), name_length = strlen(name);
	struct follower *f = calloc(1, sizeof(*f) + directory_length + name_length + 2);
	struct file_generation *absent;

	if (!f)
		return NULL;
	f->set = set;
	f->succession.source = &f->source;
	f->source.ops = &follower_ops;
	TAILQ_INIT(&f->source.listeners);
	memcpy(f->path, directory, directory_length);
	f->path[directory_length] = '/';
	memcpy(f->path + directory_length + 1, name, name_length + 1);
	f->name = f->path + directory_length + 1;
	if (file_generation_new(&f->source, set->offload, -1, NULL, FILE_SYSTEM_LOCAL,
	                        clock_now_ms(), &absent) < 0) {
		free(f);
		return NULL;
	}
	f->source.current = &absent->generation;
	f->directory = followers_get_directory(set, directory);
	if (!f->directory) {
		generation_unref(&f->source.current);
		free(f);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&f->directory->followers, f, in_directory);
	HASH_ADD_KEYPTR(hh, set->by_path, f->path, directory_length + name_length + 1, f);
	set->follower_count++;
	return f;
}

void
follower_release(struct follower **follower)
{
	struct follower *f = *follower;

	*follower = NULL;
	if (!f)
		return;
	must(f->references > 0);
	if (--f->references > 0)
		return;
	loop_timer_stop(f->set->loop, &f->look_timer);
	loop_defer_cancel(f->set->loop, &f->look_task);
	HASH_DEL(f->set->by_path, f);
	TAILQ_REMOVE(&f->directory->followers, f, in_directory);
	followers_release_directory(f->directory);
	rotated_free(&f->rotated);
	succession_fini(&f->succession);
	beside_fini(&f->beside);
	generation_unref(&f->source.current);
	f->set->follower_count--;
	free(f);
}
