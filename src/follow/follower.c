#include "follow/follower.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "follow/follower_state.h"
#include "follow/place.h"

/* --- what looks found --------------------------------------------------------------------------- */

static void
replace_current(struct follower *f, struct file_generation *next)
{
	struct generation *old = f->source.current;

	must(!old->next || old->next == &next->generation);
	if (!old->next)
		old->next = generation_ref(&next->generation);
	passed_note(&f->passed, old);
	f->source.current = &next->generation; /* takes the caller's reference */
	generation_unref(&old);
}

/* Whether it did: without memory, or descriptors, the next look tries again. */
static bool
lose_current(struct follower *f, const struct stat *stat, const char *reason)
{
	struct file_generation *again;

	if (file_generation_again(follower_current(f), stat, clock_now_ms(), &again) < 0)
		return false;
	again->generation.changed_ms = clock_now_ms();
	f->source.current->state = GENERATION_LOST;
	f->source.current->lost_reason = reason;
	replace_current(f, again);
	return true;
}

/* One that is a copy of what the file held, before it was emptied; what was written after that is lost. */
static struct generation *
make_copy(struct follower *f, struct beside_part *part, enum file_system file_system)
{
	struct file_generation *g;

	if (file_generation_new(&f->source, f->set->offload, part->fd, &part->stat, file_system,
	                        clock_now_ms(), &g) < 0)
		return NULL;
	part->fd = -1;
	g->generation.state = GENERATION_ENDED;
	g->generation.copy_of = f->source.current->identity;
	g->generation.known_to = g->generation.size_bytes;
	g->generation.known_fingerprint = part->fingerprint;
	g->generation.lost_reason = "truncated";
	return &g->generation;
}

/* Puts copies between a generation and the next one, which leads on from the last of them; without
 * memory, those that come first are missing, which is told. */
static const char *
lead_through(struct follower *f, struct beside_parts *copies, struct generation *next,
             struct generation **ret_first)
{
	const char *lost = copies->count > 0 ? copies->list[0].lost : copies->lost;

	*ret_first = generation_ref(next);
	for (size_t i = copies->count; i > 0; i--) {
		struct generation *copy = make_copy(f, &copies->list[i - 1], copies->file_system);

		if (!copy)
			return "truncated";
		copy->next = *ret_first; /* takes */
		*ret_first = copy;
	}
	return lost;
}

/* The file was emptied, and emptied again, without having been seen smaller: what it held in between is in
 * the copies. As lose_current(). */
static bool
pass_copies(struct follower *f, struct look *look)
{
	struct generation *g = f->source.current;
	struct file_generation *again;
	const char *lost;

	if (file_generation_again(follower_current(f), &look->stat, clock_now_ms(), &again) < 0)
		return false;
	again->generation.opened_size_bytes = 0;
	again->generation.changed_ms = clock_now_ms();
	lost = lead_through(f, &look->between, &again->generation, &g->next);
	/* What there was of this one was in the first of them. */
	g->state = g->size_bytes > 0 ? GENERATION_LOST : GENERATION_ENDED;
	g->lost_reason = g->size_bytes > 0 ? "truncated" : lost;
	for (; g != &again->generation; g = g->next)
		passed_note(&f->passed, g);
	g = f->source.current;
	f->source.current = &again->generation; /* takes */
	generation_unref(&g);
	return true;
}

static void
note_append(struct generation *g, const struct stat *stat)
{
	int64_t now_us = clock_wall_us();
	int64_t unseen_us = now_us - (clock_now_ms() - g->source->looked_ms) * 1000;

	g->appended_us = (int64_t)stat->st_mtim.tv_sec * 1000000 + stat->st_mtim.tv_nsec / 1000;
	/* Times of files can be set, and those of file servers be off. */
	if (g->appended_us < unseen_us)
		g->appended_us = unseen_us;
	if (g->appended_us > now_us)
		g->appended_us = now_us;
	g->appended_from = g->size_bytes;
}

static void
grow(struct generation *g, const struct stat *stat)
{
	note_append(g, stat);
	file_generation_of(g)->modified = stat->st_mtim;
	g->size_bytes = file_generation_size(stat);
	g->grown_wall_ms = clock_wall_ms();
	g->changed_ms = clock_now_ms();
	g->source->changed_ms = g->changed_ms;
}

/* Written to, and of the same size: it may have been truncated and written anew. */
static void
suspect(struct generation *g, const struct stat *stat)
{
	struct timespec *modified = &file_generation_of(g)->modified;

	if (modified->tv_sec == stat->st_mtim.tv_sec && modified->tv_nsec == stat->st_mtim.tv_nsec)
		return;
	*modified = stat->st_mtim;
	g->is_suspect = true;
	g->scanned_to = 0; /* an unfinished line may have got its end in place */
}

/* That something is missing before one counts as well: it is to be told. */
static bool
coming_has_content(const struct follower *f)
{
	const struct generation *before = f->source.current;

	for (size_t i = 0; i < f->coming_count; i++) {
		const struct generation *g = &f->coming[i]->generation;

		if (g->size_bytes > 0 || g->state == GENERATION_LOST || before->lost_reason)
			return true;
		before = g;
	}
	return false;
}

/* What comes first becomes current; what was lost before it was, was current for a moment. */
static void
shift(struct follower *f)
{
	do {
		struct file_generation *next = f->coming[0];

		must(f->coming_count > 0);
		if (f->source.current->state == GENERATION_LIVE)
			f->source.current->state = GENERATION_ENDED;
		memmove(f->coming, f->coming + 1, --f->coming_count * sizeof(f->coming[0]));
		replace_current(f, next);
	} while (f->source.current->state == GENERATION_LOST);
	f->is_elsewhere = f->coming_count > 0;
}

/* Takes one that comes last. */
static void
append(struct follower *f, struct file_generation *g)
{
	/* Rotated faster than it comes to rest: the oldest has rested long enough. */
	if (f->coming_count >= MOST_COMING - 1)
		shift(f);
	f->coming[f->coming_count++] = g;
}

/* What was found since becomes current once the old one has rested. */
static void
end_rotated(struct follower *f)
{
	int64_t now_ms = clock_now_ms(), rested_ms = f->set->settings->api.sse.poll_interval_ms;

	while (coming_has_content(f)) {
		if (f->coming_since_ms == 0)
			f->coming_since_ms = now_ms;
		if (now_ms - f->coming_since_ms < rested_ms ||
		    now_ms - f->source.current->changed_ms < rested_ms)
			return;
		shift(f);
	}
	f->coming_since_ms = 0;
}

/* --- those that were rotated away before ------------------------------------------------------------ */

static bool
has_content_behind(const struct follower *f, const struct generation *g)
{
	while ((g = g->next) != NULL)
		if (g->size_bytes > 0 || g->lost_reason)
			return true;
	return coming_has_content(f);
}

/* Whether no more is to be expected of one that was rotated away. */
static bool
is_past(const struct follower *f, const struct generation *g)
{
	return has_content_behind(f, g) &&
	       clock_now_ms() - g->changed_ms >= f->set->settings->api.sse.poll_interval_ms;
}

static void
end_trailing(struct follower *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->trailing_count; i++) {
		struct generation *g = &f->trailing[i]->generation;

		if (g->state == GENERATION_LIVE && is_past(f, g))
			g->state = GENERATION_ENDED;
		if (g->state == GENERATION_LIVE && g->references > 1)
			f->trailing[kept++] = f->trailing[i];
		else
			generation_unref(&g);
	}
	f->trailing_count = kept;
}

/* What was found beside the file may still be written to, by who has it open. */
static void
trail(struct source *source, struct generation *first)
{
	struct follower *f = (struct follower *)source;

	for (struct generation *g = first; g && g != source->current && g != source_latest(source);
	     g = g->next) {
		if (g->lost_reason || is_past(f, g) || f->trailing_count == MOST_TRAILING)
			continue;
		g->state = GENERATION_LIVE;
		f->trailing[f->trailing_count++] = file_generation_of(generation_ref(g));
	}
	if (f->trailing_count > 0)
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
	const struct follower *f = (const struct follower *)source;

	for (size_t i = 0; i < f->coming_count; i++)
		if (f->coming[i]->generation.identity == identity)
			return true;
	return false;
}

static const struct rotated_ops rotated_ops = { .found = trail, .is_noted = is_noted, .is_coming = is_coming };

/* --- those that come, and what a look says of them --------------------------------------------------- */

/* Who comes to it is told that something was there. False: the next look tries again. */
static bool
lose_coming(struct follower *f, size_t index, const struct stat *stat)
{
	struct file_generation *lost = f->coming[index], *again;

	if (f->coming_count == MOST_COMING ||
	    file_generation_again(lost, stat, clock_now_ms(), &again) < 0)
		return false;
	lost->generation.state = GENERATION_LOST;
	lost->generation.lost_reason = "truncated";
	lost->generation.next = generation_ref(&again->generation);
	memmove(f->coming + index + 2, f->coming + index + 1,
	        (f->coming_count - index - 1) * sizeof(f->coming[0]));
	f->coming[index + 1] = again;
	f->coming_count++;
	return true;
}

static void
drop_coming(struct follower *f)
{
	while (f->coming_count > 0) {
		struct generation *g = &f->coming[--f->coming_count]->generation;

		if (g->references > 1 && !g->next) {
			/* Somebody came back to it, from another process. */
			g->state = GENERATION_LOST;
			g->lost_reason = "replaced";
			g->next = generation_ref(f->source.current);
		}
		generation_unref(&g);
	}
	f->coming_since_ms = 0;
}

/* Whether it is one of those that come. */
static bool
find_coming(const struct follower *f, const struct generation *g, size_t *ret_index)
{
	for (size_t i = 0; i < f->coming_count; i++)
		if (&f->coming[i]->generation == g) {
			*ret_index = i;
			return true;
		}
	return false;
}

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
		size_t index;

		if (stat->st_size < 0 || g->state != GENERATION_LIVE)
			continue;
		if (i < look->coming_count && look->others[i].known.is_other) {
			if (find_coming(f, g, &index))
				(void)lose_coming(f, index, stat);
			continue;
		}
		know(g, &look->others[i].known);
		if (file_generation_size(stat) > g->size_bytes) {
			grow(g, stat);
		} else if (file_generation_size(stat) == g->size_bytes) {
			suspect(g, stat);
		} else if (i >= look->coming_count) {
			g->state = GENERATION_LOST;
			g->lost_reason = "truncated";
		} else if (find_coming(f, g, &index)) {
			(void)lose_coming(f, index, stat);
		}
	}
}

static bool
is_of(const struct file_generation *g, const struct stat *stat)
{
	return g->fd >= 0 && g->device == stat->st_dev && g->inode == stat->st_ino;
}

/* Where there was nothing before: what the first look finds is history; what appears later is new,
 * all of it. */
static void
begin(struct follower *f, struct file_generation *first, const struct stat *stat)
{
	if (f->source.is_ready) {
		first->generation.opened_size_bytes = 0;
		grow(&first->generation, stat);
	}
	f->source.current->state = GENERATION_ENDED;
	replace_current(f, first);
}

/* Takes what was found, in order. lost: why something before it is; known: of what is at the path. */
static int
take(struct follower *f, int *fd, const struct stat *stat, enum file_system file_system, const char *lost,
     const struct look_known *known)
{
	struct file_generation *g, *last;

	if (file_generation_new(&f->source, f->set->offload, *fd, stat, file_system, clock_now_ms(), &g) < 0)
		return -ENOMEM;
	*fd = -1;
	if (known)
		know(&g->generation, known);
	last = f->coming_count > 0 ? f->coming[f->coming_count - 1] : follower_current(f);
	if (lost)
		last->generation.lost_reason = lost;
	if (f->source.current->identity == 0) {
		begin(f, g, stat);
		return 0;
	}
	if (known) {
		g->generation.opened_size_bytes = 0;
		grow(&g->generation, stat);
	}
	append(f, g);
	return 0;
}

static void
take_found(struct follower *f, struct look *look)
{
	bool is_known = false;

	for (size_t i = 0; i < f->coming_count && look->found_fd >= 0; i++)
		is_known |= is_of(f->coming[i], &look->found_stat);
	for (size_t i = 0; i < look->between.count && !look->is_at_path && !look->has_failed; i++) {
		struct beside_part *part = &look->between.list[i];

		look->has_failed = take(f, &part->fd, &part->stat, look->between.file_system, part->lost,
		                        NULL) < 0;
	}
	if (!is_known && look->found_fd >= 0 && !look->has_failed)
		look->has_failed = take(f, &look->found_fd, &look->found_stat, look->found_file_system,
		                        look->between.lost, &look->found_known) < 0;
	if (f->coming_count > 0 && __atomic_load_n(&follower_current(f)->is_stale, __ATOMIC_RELAXED)) {
		/* Nobody will read it to its end. */
		f->source.current->state = GENERATION_LOST;
		f->source.current->lost_reason = "replaced";
		shift(f);
	}
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
	size_t trailing_before = f->trailing_count;
	bool tell;

	if (look->current != g ||
	    (look->is_at_path && has_copies(look) && look->known.offset != g->known_to)) {
		/* Its bytes were found to be others meanwhile, or more of it was read, of which one of the
		 * copies may be: what was seen is about the past. */
		beside_forget(&f->beside, &look->between);
		look_soon(f);
		return;
	}
	if (look->is_at_path && has_copies(look)) {
		if (!pass_copies(f, look)) {
			beside_forget(&f->beside, &look->between);
			look->has_failed = true;
		}
	} else if (look->stat.st_size >= 0) {
		if (file_generation_size(&look->stat) < g->size_bytes || look->is_other)
			(void)lose_current(f, &look->stat, "truncated");
		else if (file_generation_size(&look->stat) > g->size_bytes)
			grow(g, &look->stat);
		else
			suspect(g, &look->stat);
	}
	f->is_elsewhere = !look->is_at_path && follower_current(f)->fd >= 0;
	/* It went as it had come: the current file is back in its place. */
	if (look->is_at_path)
		drop_coming(f);
	resize_others(f, look);
	take_found(f, look);
	end_rotated(f);
	end_trailing(f);
	f->source.is_rotating = coming_has_content(f);
	for (size_t i = 0; i < f->trailing_count; i++)
		f->source.is_rotating |= has_content_behind(f, &f->trailing[i]->generation);
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

/* --- source ----------------------------------------------------------------------------------------- */

/* One that was left behind by rotation: what it holds now comes before what follows it. */
static void
lose_passed(struct follower *f, struct generation *g)
{
	struct file_generation *file = file_generation_of(g), *again = NULL;
	struct stat stat;

	if (!__atomic_load_n(&file->is_stale, __ATOMIC_RELAXED) && fstat(file->fd, &stat) == 0 &&
	    file_generation_again(file, &stat, clock_now_ms(), &again) == 0) {
		again->generation.state = GENERATION_ENDED;
		again->generation.next = g->next; /* takes */
		g->next = &again->generation;     /* takes */
	}
	for (size_t i = 0; again && i < f->trailing_count; i++)
		if (f->trailing[i] == file) {
			again->generation.state = GENERATION_LIVE;
			f->trailing[i] = file_generation_of(generation_ref(&again->generation));
			generation_unref(&(struct generation *){ g });
		}
	g->state = GENERATION_LOST;
	g->lost_reason = "truncated";
}

static void
rewritten(struct generation *generation)
{
	struct follower *f = (struct follower *)generation->source;
	struct stat stat;
	size_t index = 0;

	if (generation == f->source.current || find_coming(f, generation, &index)) {
		if (fstat(file_generation_of(generation)->fd, &stat) < 0 ||
		    !(generation == f->source.current ? lose_current(f, &stat, "truncated")
		                                      : lose_coming(f, index, &stat))) {
			f->source.tell = true;
			return;
		}
	} else {
		lose_passed(f, generation);
	}
	source_notify(&f->source);
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

static int
find_rotated(struct source *source, const struct cursor_mark *mark,
             struct generation **ret_generation)
{
	struct follower *f = (struct follower *)source;

	/* Another process may have been quicker to leave the current one behind. */
	for (size_t i = f->coming_count; i > 0; i--) {
		struct generation *g = &f->coming[i - 1]->generation;
		int error = g->state == GENERATION_LIVE ? place_holds(g, mark) : -ENOENT;

		if (!error)
			*ret_generation = g;
		if (error != -ENOENT)
			return error;
	}
	if (!f->rotated)
		f->rotated = rotated_new(source, f->set->offload, &rotated_ops, &f->passed,
		                         f->set->runs_dir_fd, f->path);
	return f->rotated ? rotated_find(f->rotated, mark, ret_generation) : -ENOMEM;
}

static struct generation *
latest(struct source *source)
{
	struct follower *f = (struct follower *)source;

	return f->coming_count > 0 ? &f->coming[f->coming_count - 1]->generation : source->current;
}

/* Those that lay there when it was first looked at, or that were made of what was seen to be emptied. */
static bool
may_have_copies(struct source *source)
{
	const struct follower *f = (const struct follower *)source;

	return f->look || f->beside.count > 0 || passed_was_emptied(&f->passed, source->current->identity, 0);
}

static bool
was_emptied(struct source *source, uint32_t identity, int64_t since_ms)
{
	return passed_was_emptied(&((const struct follower *)source)->passed, identity, since_ms);
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
	drop_coming(f);
	while (f->trailing_count > 0) {
		struct generation *g = &f->trailing[--f->trailing_count]->generation;

		generation_unref(&g);
	}
	beside_fini(&f->beside);
	passed_fini(&f->passed);
	generation_unref(&f->source.current);
	f->set->follower_count--;
	free(f);
}
