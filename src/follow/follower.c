#include "follow/follower.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "follow/follower_state.h"

/* --- what looks found --------------------------------------------------------------------------- */

static void
replace_current(struct follower *f, struct file_generation *next)
{
	struct generation *old = f->source.current;

	must(!old->next);
	old->next = generation_ref(&next->generation);
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

/* The file that lies at the path now becomes current once the old one has rested. */
static void
end_rotated(struct follower *f)
{
	struct generation *g = f->source.current;
	struct file_generation *coming = f->coming;
	int64_t now_ms = clock_now_ms(), rested_ms = f->set->settings->api.sse.poll_interval_ms;

	if (!coming || coming->generation.size_bytes == 0)
		return;
	if (f->coming_since_ms == 0)
		f->coming_since_ms = now_ms;
	if (now_ms - f->coming_since_ms < rested_ms || now_ms - g->changed_ms < rested_ms)
		return;
	g->state = GENERATION_ENDED;
	f->coming = NULL;
	f->coming_since_ms = 0;
	f->is_elsewhere = false;
	replace_current(f, coming);
}

/* Nobody reads the one that comes yet: it may shrink. */
static void
resize_coming(struct follower *f, const struct look *look)
{
	struct generation *coming;

	if (!f->coming || look->coming != &f->coming->generation)
		return;
	coming = &f->coming->generation;
	if (look->is_at_path) {
		/* It went as it had come: the current file is back in its place. */
		f->coming = NULL;
		f->coming_since_ms = 0;
		generation_unref(&coming);
	} else if (look->coming_stat.st_size >= 0 &&
	           file_generation_size(&look->coming_stat) > coming->size_bytes) {
		grow(coming, &look->coming_stat);
	} else if (look->coming_stat.st_size >= 0) {
		coming->size_bytes = file_generation_size(&look->coming_stat);
	}
}

static void
take_found(struct follower *f, struct look *look)
{
	struct file_generation *coming = f->coming, *found;

	if (coming && coming->device == look->found_stat.st_dev &&
	    coming->inode == look->found_stat.st_ino) {
		fd_close(&look->found_fd);
		return;
	}
	if (file_generation_new(&f->source, f->set->offload, look->found_fd, &look->found_stat,
	                        look->found_file_system, clock_now_ms(), &found) < 0) {
		look->has_failed = true;
		return;
	}
	look->found_fd = -1;
	if (f->source.current->identity == 0) {
		/* Nothing was there before. What the first look finds is history; what appears
		 * later is new, all of it. */
		if (f->source.is_ready) {
			found->generation.opened_size_bytes = 0;
			grow(&found->generation, &look->found_stat);
		}
		f->source.current->state = GENERATION_ENDED;
		replace_current(f, found);
		return;
	}
	if (coming) {
		/* Rotated again before the current one came to rest: it has, now. */
		f->source.current->state = GENERATION_ENDED;
		replace_current(f, coming);
	}
	found->generation.opened_size_bytes = 0;
	grow(&found->generation, &look->found_stat);
	if (__atomic_load_n(&follower_current(f)->is_stale, __ATOMIC_RELAXED)) {
		/* Nobody will read it to its end. */
		f->source.current->state = GENERATION_LOST;
		f->source.current->lost_reason = "replaced";
		replace_current(f, found);
		return;
	}
	f->coming = found;
	f->coming_since_ms = 0;
}

void
follower_apply(struct follower *f, struct look *look)
{
	struct generation *g = f->source.current;
	uint64_t size_before_bytes = g->size_bytes;
	bool tell;

	if (look->current != g) {
		/* Its bytes were found to be others meanwhile: what was seen is about the past. */
		look_soon(f);
		return;
	}
	if (look->stat.st_size >= 0) {
		if (file_generation_size(&look->stat) < g->size_bytes)
			(void)lose_current(f, &look->stat, "truncated");
		else if (file_generation_size(&look->stat) > g->size_bytes)
			grow(g, &look->stat);
		else
			suspect(g, &look->stat);
	}
	f->is_elsewhere = !look->is_at_path && follower_current(f)->fd >= 0;
	resize_coming(f, look);
	if (look->found_fd >= 0)
		take_found(f, look);
	end_rotated(f);
	f->source.is_rotating = f->coming && f->coming->generation.size_bytes > 0;
	f->has_failed = look->has_failed;
	tell = f->source.current != g || g->size_bytes != size_before_bytes || g->is_suspect;
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

static void
rewritten(struct generation *generation)
{
	struct follower *f = (struct follower *)generation->source;
	struct stat stat;

	if (generation == f->source.current) {
		if (fstat(follower_current(f)->fd, &stat) < 0 || !lose_current(f, &stat, "truncated")) {
			f->source.tell = true;
			return;
		}
	} else {
		/* One that was left behind by rotation: what follows it is known. */
		generation->state = GENERATION_LOST;
		generation->lost_reason = "truncated";
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

	if (!f->rotated)
		f->rotated = rotated_new(source, f->set->offload, f->set->runs_dir_fd, f->path);
	return f->rotated ? rotated_find(f->rotated, mark, ret_generation) : -ENOMEM;
}

static const struct source_ops follower_ops = {
	.read = file_generation_read,
	.read_waiting = file_generation_read_waiting,
	.hole_end = file_generation_hole_end,
	.is_being_written = file_generation_is_being_written,
	.find = find_rotated,
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
	if (f->coming) {
		struct generation *coming = &f->coming->generation;

		generation_unref(&coming);
	}
	generation_unref(&f->source.current);
	f->set->follower_count--;
	free(f);
}
