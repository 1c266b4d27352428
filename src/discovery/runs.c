/* Runs: taking them up, following their run-info, giving them to the registry. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/state.h"

enum {
	CLOSE_MOST = 5000,       /* runs looked at closely in one look; more take turns */
	SWEEP_WHOLE_MS = 300000, /* in which all of the others have had their turn, unless */
	SWEEP_A_SECOND = 100,    /* or sooner, where there are few: at least so many */
	SWEEP_SHARE = 150,       /* that takes more than one part in so many of the time */
	NEWCOMER_MS = 600000,    /* for so long a run's first run-info is looked for closely */
	FULL_AGAIN_MS = 10000,      /* when memory may be there again */
	DUPLICATES_MAX = 10000,  /* reported ones that are remembered */
};

/* --- what is a run ------------------------------------------------------------------------------ */

enum { RUN_FILES = 4 };

static const char *
run_file(const struct discovery *d, int i)
{
	const struct settings *s = &d->instance->settings;
	const char *const files[RUN_FILES] = { s->storage.files.run_info, s->storage.files.stdout_log,
		                               s->storage.files.stderr_log, s->storage.files.events };

	return files[i];
}

bool
runs_is_file(const struct discovery *d, const char *name)
{
	for (int i = 0; i < RUN_FILES; i++)
		if (strcmp(name, run_file(d, i)) == 0)
			return true;
	return false;
}

int
runs_probe(struct discovery *d, const struct folder *folder, const char *name)
{
	char path[PATH_BYTES_MAX];
	int fd, error, found = 0;

	path_of_run(folder, name, path);
	error = call_open(d, path, &fd);
	if (error)
		return error;
	for (int i = 0; found == 0 && i < RUN_FILES; i++) {
		struct stat st;

		error = call_stat(d, path, fd, run_file(d, i), &st);
		if (!error)
			found = S_ISREG(st.st_mode);
		else if (error != -ENOENT)
			found = error;
	}
	call_close(&fd);
	return found;
}

bool
runs_lies_in(const struct discovery *d, const struct folder *folder, const char *name,
             uint32_t *ret_slot)
{
	struct registry_run run;

	if (registry_find(d->registry, name, &run) != 0 || d->runs[run.slot].folder != folder)
		return false;
	*ret_slot = run.slot;
	return true;
}

/* --- which runs are looked at closely ----------------------------------------------------------- */

static void
close_remove(struct discovery *d, uint32_t slot)
{
	struct run *run = &d->runs[slot];
	uint32_t last;

	if (run->close_place == 0)
		return;
	last = d->close[--d->close_count];
	d->close[run->close_place - 1] = last;
	d->runs[last].close_place = run->close_place;
	run->close_place = 0;
	watch_drop(d, &run->wd);
}

static void
close_add(struct discovery *d, uint32_t slot)
{
	if (d->runs[slot].close_place != 0)
		return;
	if (d->close_count == d->close_capacity) {
		size_t capacity = d->close_capacity ? d->close_capacity * 2 : 64;
		uint32_t *grown = realloc(d->close, capacity * sizeof(*grown));

		if (!grown)
			return; /* the sweep has it */
		d->close = grown;
		d->close_capacity = capacity;
	}
	d->close[d->close_count++] = slot;
	d->runs[slot].close_place = (uint32_t)d->close_count;
}

/* A run that is not over; but one that never said anything of itself only for a while. */
static void
close_choose(struct discovery *d, uint32_t slot, const struct registry_run *entry)
{
	const struct run *run = &d->runs[slot];
	bool is_newcomer = clock_wall_ms() - entry->first_seen_ms < NEWCOMER_MS;

	if (!entry->is_deleted && !entry->is_terminal && (run->info_ino != 0 || is_newcomer))
		close_add(d, slot);
	else
		close_remove(d, slot);
}

/* --- the registry ------------------------------------------------------------------------------- */

static void
remember_info(struct run *run, const struct info_seen *seen)
{
	run->info_ino = seen->ino;
	run->info_mtime_ns = seen->mtime_ns;
	run->info_bytes = seen->bytes;
	run->info_is_racy = seen->is_racy;
}

/* Said once in a while, however often runs come and go while there is no room for more. */
static void
refuse(struct discovery *d, const struct registry_run *entry, int error)
{
	int64_t now_ms = clock_now_ms();

	d->counters->faults[COUNTERS_FAULT_REGISTRY_FULL]++;
	if (d->full_said_ms == 0 || now_ms - d->full_said_ms >= EPISODE_REPEAT_MS) {
		log_error("registry_full", "run=\"%s\" max_runs=%u error=\"%s\" hint=\"raise "
		          "storage.max_runs, or give more memory\"", entry->run_id,
		          registry_capacity(d->registry), strerror(-error));
		d->full_said_ms = now_ms;
	}
	if (!d->is_full)
		d->full_tried_ms = now_ms;
	d->is_full = true;
}

bool
runs_retry(struct discovery *d)
{
	int64_t now_ms = clock_now_ms();

	/* Memory may be there again without our knowing. */
	if (!d->is_full || (!d->has_room && now_ms - d->full_tried_ms < FULL_AGAIN_MS))
		return false;
	d->has_room = false;
	d->full_tried_ms = now_ms;
	d->must_list_all = true;
	return true;
}

void
runs_fit(struct discovery *d)
{
	d->is_full = false;
	d->full_said_ms = 0;
	log_info("registry_full", "over=1 runs=%u", registry_count(d->registry));
}

static int
put(struct discovery *d, const struct registry_run *entry, uint32_t *ret_slot)
{
	int error = registry_writer_put(d->writer, entry, ret_slot, NULL);

	if (error == -ENOSPC || error == -ENOMEM) {
		refuse(d, entry, error);
	} else if (error) {
		log_error("registry_failed", "run=\"%s\" error=\"%s\"", entry->run_id,
		          strerror(-error));
	}
	/* A first scan may take long: whoever waits for a run shall not wait for its end. */
	bells_ring(d, false);
	return error;
}

static void
enlist(struct discovery *d, uint32_t slot, struct folder *folder)
{
	struct run *run = &d->runs[slot];

	*run = (struct run){ .folder = folder, .next = folder->first_run, .round = d->round,
		             .wd = -1, .is_contested = run->is_contested };
	if (folder->first_run != 0)
		d->runs[folder->first_run - 1].previous = slot + 1;
	folder->first_run = slot + 1;
}

static void
delist(struct discovery *d, uint32_t slot)
{
	struct run *run = &d->runs[slot];

	close_remove(d, slot);
	if (run->previous != 0)
		d->runs[run->previous - 1].next = run->next;
	else
		run->folder->first_run = run->next;
	if (run->next != 0)
		d->runs[run->next - 1].previous = run->previous;
	run->folder = NULL;
	run->is_contested = false;
}

static void
report_duplicate(struct discovery *d, const struct registry_run *first, const char *path)
{
	char first_path[PATH_BYTES_MAX];
	size_t length = strlen(path);
	struct duplicate *duplicate;

	HASH_FIND_STR(d->duplicates, path, duplicate);
	if (duplicate || HASH_COUNT(d->duplicates) >= DUPLICATES_MAX ||
	    !(duplicate = malloc(sizeof(*duplicate) + length + 1)))
		return;
	memcpy(duplicate->path, path, length + 1);
	HASH_ADD_KEYPTR(hh, d->duplicates, duplicate->path, length, duplicate);
	registry_run_path(first, first_path, sizeof(first_path));
	log_warning("run_id_taken", "run=\"%s\" kept=\"%s\" ignored=\"%s\"", first->run_id,
	            first_path, path);
}

/* Whether a run that an earlier discovery found is still where it was, as far as can be told. */
static bool
is_still_there(struct discovery *d, const struct registry_run *entry)
{
	char path[PATH_BYTES_MAX];
	int fd, error;

	registry_run_path(entry, path, sizeof(path));
	error = call_open(d, path, &fd);
	if (!error)
		call_close(&fd);
	return !is_gone(error);
}

/* dir_fd: its folder. */
static void
watch(struct discovery *d, uint32_t slot, const char *name, const char *path, int dir_fd)
{
	struct folder *same;

	/* A folder that is a project's as well is watched as such, and a folder has but one watch. */
	HASH_FIND_STR(d->runs[slot].folder->children, name, same);
	if (d->runs[slot].close_place != 0 && d->runs[slot].wd < 0 && !same)
		watch_run(d, slot, path, dir_fd);
}

static void
take_up(struct discovery *d, struct folder *folder, const char *path, int dir_fd,
        const struct registry_run *entry, uint32_t slot, const struct info_seen *seen)
{
	enlist(d, slot, folder);
	remember_info(&d->runs[slot], seen);
	close_choose(d, slot, entry);
	watch(d, slot, entry->run_id, path, dir_fd);
}

int
runs_add(struct discovery *d, struct folder *folder, const char *name)
{
	struct registry_run entry, known;
	char path[PATH_BYTES_MAX], known_path[PATH_BYTES_MAX];
	struct info_seen seen = { 0 };
	int error = registry_find(d->registry, name, &known), fd;
	bool is_known = error == 0;
	uint32_t slot;

	if (error && error != -ENOENT)
		return error;
	path_of_run(folder, name, path);
	info_blank(folder, name, &entry);
	if (is_known && !known.is_deleted) {
		registry_run_path(&known, known_path, sizeof(known_path));
		if (d->runs[known.slot].folder == folder)
			return 0;
		if (d->runs[known.slot].folder ||
		    (strcmp(path, known_path) != 0 && is_still_there(d, &known))) {
			d->runs[known.slot].is_contested = true;
			report_duplicate(d, &known, path);
			return 0;
		}
	}
	if (is_known)
		entry.first_seen_ms = known.first_seen_ms;
	error = call_open(d, path, &fd);
	if (error)
		return error;
	if (is_known && !known.is_deleted && known.is_terminal && strcmp(path, known_path) == 0) {
		/* Taken over as it is; the sweep will have read its run-info in some minutes. */
		slot = known.slot;
		entry = known;
	} else {
		if (is_known && !known.is_deleted && strcmp(path, known_path) == 0)
			entry.ending = known.ending;
		info_read(d, fd, path, &entry, &seen);
		error = put(d, &entry, &slot);
	}
	if (!error)
		take_up(d, folder, path, fd, &entry, slot, &seen);
	call_close(&fd);
	/* When it is full another attempt is due when something was deleted, not at each look. */
	return error == -ENOSPC || error == -ENOMEM ? 0 : error;
}

bool
runs_refresh(struct discovery *d, uint32_t slot, bool anew)
{
	struct run *run = &d->runs[slot];
	struct registry_run entry;
	char path[PATH_BYTES_MAX];
	struct info_seen seen;
	struct stat st;
	bool is_known;
	int fd, error;

	if (!run->folder || registry_at(d->registry, slot, &entry) != 0)
		return false;
	registry_run_path(&entry, path, sizeof(path));
	if (!anew && !run->info_is_racy) {
		char info_path[2 * PATH_BYTES_MAX];

		snprintf(info_path, sizeof(info_path), "%s/%s", path,
		         d->instance->settings.storage.files.run_info);
		error = call_stat(d, path, d->root_fd, info_path, &st);
		if (error == CALL_HELD)
			return false;
		if (error)
			st = (struct stat){ 0 };
		if (st.st_ino == run->info_ino && st.st_size == run->info_bytes &&
		    mtime_ns(&st) == run->info_mtime_ns) {
			close_choose(d, slot, &entry); /* it may be no newcomer any more */
			return !is_for_now(error);
		}
	}
	error = call_open(d, path, &fd);
	if (error)
		return !is_for_now(error); /* the listing of its parent will tell */
	is_known = info_read(d, fd, path, &entry, &seen);
	if (put(d, &entry, NULL) == 0) {
		remember_info(run, &seen);
		close_choose(d, slot, &entry);
		watch(d, slot, entry.run_id, path, fd);
	} else {
		is_known = false;
	}
	call_close(&fd);
	return is_known;
}

void
runs_delete(struct discovery *d, uint32_t slot)
{
	bool is_contested = d->runs[slot].is_contested;

	delist(d, slot);
	registry_writer_mark_deleted(d->writer, slot);
	/* Another folder may take its name, or its place. */
	if (is_contested)
		d->must_list_all = true;
	d->has_room = true;
}

void
runs_look_closely(struct discovery *d)
{
	size_t most = d->close_count < CLOSE_MOST ? d->close_count : CLOSE_MOST;

	for (; most > 0 && d->close_count > 0; most--) {
		uint32_t slot;

		if (d->close_next >= d->close_count)
			d->close_next = 0;
		slot = d->close[d->close_next];
		runs_refresh(d, slot, false);
		/* If it was struck out, another one stands in its place now. */
		if (d->close_next < d->close_count && d->close[d->close_next] == slot)
			d->close_next++;
	}
}

/* A run of an earlier discovery that was not found: deleted, unless it only cannot be listed. */
static void
settle(struct discovery *d, uint32_t slot)
{
	struct registry_run entry;

	if (d->runs[slot].folder || registry_at(d->registry, slot, &entry) != 0 || entry.is_deleted)
		return;
	if (!is_still_there(d, &entry))
		registry_writer_mark_deleted(d->writer, slot);
}

void
runs_settle(struct discovery *d)
{
	uint32_t count = registry_count(d->registry);

	for (uint32_t slot = 0; slot < count; slot++)
		settle(d, slot);
}

void
runs_sweep(struct discovery *d, int64_t elapsed_ms)
{
	uint32_t count = registry_count(d->registry);
	int64_t most = (int64_t)count * elapsed_ms / SWEEP_WHOLE_MS;
	int64_t least = elapsed_ms * SWEEP_A_SECOND / 1000 < count ? elapsed_ms * SWEEP_A_SECOND / 1000
	                                                           : count;
	int64_t until_ns = clock_now_ns() + elapsed_ms * 1000000 / SWEEP_SHARE;

	for (most = (most > least ? most : least) + 1; most > 0 && count > 0; most--) {
		uint32_t slot = d->sweep_next++ % count;

		if (!d->runs[slot].folder)
			settle(d, slot);
		else if (d->runs[slot].close_place == 0)
			runs_refresh(d, slot, false);
		if (most % 16 == 0 && clock_now_ns() > until_ns)
			break;
	}
	d->sweep_next %= count > 0 ? count : 1;
}
