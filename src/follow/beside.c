#include "follow/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/neighbours.h"
#include "store/file_fingerprint.h"
#include "store/file_identity.h"

enum {
	TRIES = 4,
	/* The times of a directory are those of the kernel's ticks. */
	TICK_MS = 20,
	/* What cannot be read is waited for so often, and then missing. */
	MOST_UNREADABLE = 50,
};

void
beside_fini(struct beside *b)
{
	free(b->noted);
	*b = (struct beside){ 0 };
}

void
beside_forget(struct beside *b, const struct beside_parts *parts)
{
	struct statx what;

	for (size_t i = 0; i < parts->count; i++) {
		uint32_t identity;

		if (statx(parts->list[i].fd, "", AT_EMPTY_PATH, FILE_IDENTITY_MASK, &what) < 0)
			continue;
		identity = file_identity(&what);
		for (size_t j = 0; j < b->count; j++)
			if (b->noted[j].identity == identity)
				b->noted[j].identity = 0;
	}
	if (parts->count > 0 || parts->lost)
		b->changed = (struct timespec){ 0 };
}

static int
note(struct beside *b, const struct neighbours *n)
{
	struct beside_noted *noted = NULL;
	struct timespec newest = { 0 }, newest_made = { 0 };

	if (n->count > 0) {
		noted = malloc(n->count * sizeof(*noted));
		if (!noted)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n->count; i++) {
		noted[i] = (struct beside_noted){ n->list[i].identity, n->list[i].is_packed };
		if (neighbour_compare_times(&n->list[i].stat.st_mtim, &newest) > 0)
			newest = n->list[i].stat.st_mtim;
		if (neighbour_compare_times(&n->list[i].born, &newest_made) > 0)
			newest_made = n->list[i].born;
	}
	free(b->noted);
	*b = (struct beside){ .is_listed = true, .changed = n->changed, .newest = newest,
		              .newest_made = newest_made, .count = n->count, .noted = noted };
	return 0;
}

int
beside_note(struct beside *b, int runs_dir_fd, const char *directory, const char *name)
{
	struct neighbours n;
	int error = neighbours_list(runs_dir_fd, directory, name, &n);

	if (error)
		return error;
	error = note(b, &n);
	neighbours_fini(&n);
	return error;
}

bool
beside_has_changed(const struct beside *b, const struct stat *directory)
{
	int64_t changed_ms = (int64_t)b->changed.tv_sec * 1000 + b->changed.tv_nsec / 1000000;

	return directory->st_mtim.tv_sec != b->changed.tv_sec ||
	       directory->st_mtim.tv_nsec != b->changed.tv_nsec ||
	       changed_ms > clock_wall_ms() - TICK_MS;
}

/* --- what is new ------------------------------------------------------------------------------------ */

bool
beside_is_noted(const struct beside *b, uint32_t identity)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->noted[i].identity == identity)
			return true;
	return false;
}

bool
beside_has_since(const struct beside *b, int64_t since_ms)
{
	int64_t since_s = (since_ms - clock_file_lag_ms()) / 1000;

	return b->count > 0 && (b->newest.tv_sec >= since_s || b->newest_made.tv_sec >= since_s);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* What others are compared with: an open file, by its name in the directory if it has one. */
static void
describe(const struct neighbours *n, const struct beside_open *open, struct neighbour *ret_open)
{
	neighbour_of_fd(open->fd, &open->stat, ret_open);
	for (size_t i = 0; i < n->count; i++)
		if (is_same(&n->list[i].stat, &open->stat))
			ret_open->name = n->list[i].name;
}

static bool
is_later(const struct neighbour *at, const struct neighbour *last)
{
	/* Compressed, a file keeps its time: it is the last one itself, or was there before. */
	if (at->is_packed)
		return at->stat.st_mtim.tv_nsec == 0
		               ? at->stat.st_mtim.tv_sec > last->stat.st_mtim.tv_sec
		               : neighbour_is_before(last, at) &&
		                         (at->stat.st_mtim.tv_sec != last->stat.st_mtim.tv_sec ||
		                          at->stat.st_mtim.tv_nsec != last->stat.st_mtim.tv_nsec);
	return neighbour_is_before(last, at);
}

/* By when they were made alone: an emptied file has the time of the emptying, which may have been long after
 * it had left the path. (What was made later may as well be a copy of what was in it.) */
static bool
is_made_later(const struct neighbour *at, const struct neighbour *last)
{
	return !at->is_packed && last->born.tv_sec > 0 && at->born.tv_sec > 0 &&
	       neighbour_compare_times(&last->born, &at->born) <= 0; /* of one tick, it may have been */
}

/* Whether it is new, and not one that was there and was compressed since: that keeps its time, or the
 * second of it. */
static bool
is_new(const struct beside *b, const struct neighbour *at)
{
	struct timespec newest = b->newest;

	if (at->is_packed && at->stat.st_mtim.tv_nsec == 0)
		newest.tv_nsec = 0;
	return !beside_is_noted(b, at->identity) &&
	       (!at->is_packed || neighbour_compare_times(&at->stat.st_mtim, &newest) > 0);
}

/* Leaves what is new, and none of the open files. */
static void
drop_known(const struct beside *b, struct neighbours *n, const struct beside_files *files)
{
	for (size_t i = n->count; i > 0; i--) {
		bool is_known = !is_new(b, &n->list[i - 1]);

		for (size_t j = 0; j < files->count; j++)
			is_known |= is_same(&n->list[i - 1].stat, &files->open[j].stat);
		if (is_known)
			neighbours_drop(n, i - 1);
	}
}

/* Leaves what is later than an open file, or may be: one that was emptied and deleted has nothing but its
 * times. */
static void
drop_earlier(struct neighbours *n, const struct neighbour *open)
{
	bool is_emptied = open->stat.st_nlink == 0 && open->stat.st_size == 0;

	for (size_t i = n->count; i > 0; i--) {
		struct neighbour *at = &n->list[i - 1];

		if (is_same(&at->stat, &open->stat) || is_later(at, open))
			continue;
		if (is_emptied && is_made_later(at, open))
			at->is_doubtful = true;
		else
			neighbours_drop(n, i - 1);
	}
}

/* Whether it is a copy of what is open already. */
static enum neighbour_likeness
likeness_to_open(const struct beside_files *files, int fd, const struct stat *stat)
{
	enum neighbour_likeness likeness = NEIGHBOUR_OTHER;

	for (size_t i = 0; i < files->count && likeness == NEIGHBOUR_OTHER; i++)
		likeness = neighbour_compare_to_open(fd, (uint64_t)stat->st_size, files->open[i].fd);
	return likeness;
}

/* What cannot be told from the others is waited for a while, and then missing. */
static int
take(struct beside *b, struct beside_parts *parts, struct beside_candidate *candidate)
{
	int error = beside_parts_take(parts, candidate);

	if (!error || ++b->unreadable_count <= MOST_UNREADABLE)
		return error;
	parts->lost = candidate->lost;
	return 0;
}

static int
take_part(struct beside *b, const struct neighbours *n, size_t index, const struct beside_files *files,
          struct beside_parts *parts)
{
	struct beside_candidate found;
	int opened = beside_parts_open(parts, n, index, "replaced", &found);

	if (opened <= 0)
		return opened;
	if (n->list[index].is_doubtful)
		found.lost_behind = "truncated";
	/* An empty one may yet be written to, by who has it open. */
	if (found.part.stat.st_size > 0) {
		found.alike = likeness_to_open(files, found.part.fd, &found.part.stat);
		beside_parts_compare(parts, &found);
		/* A copy of what one of them held before it was emptied. */
		if (n->list[index].is_doubtful)
			found.known = beside_known_holds(&files->known, found.part.fd);
	}
	if (found.alike == NEIGHBOUR_COPY_MAYBE)
		parts->lost = "replaced";
	return take(b, parts, &found);
}

static int
find_once(struct beside *b, int runs_dir_fd, const char *directory, const char *name,
          const struct beside_files *files, struct beside_parts *parts)
{
	struct beside now = { 0 };
	struct neighbours n;
	int error = neighbours_list(runs_dir_fd, directory, name, &n);

	if (error)
		return error;
	error = note(&now, &n);
	if (!error) {
		/* The open ones go last: their names tell. */
		for (size_t i = files->count - files->earlier_count; i < files->count; i++) {
			struct neighbour at;

			describe(&n, &files->open[i], &at);
			drop_earlier(&n, &at);
		}
		drop_known(b, &n, files);
		neighbours_sort(&n);
	}
	if (!error && n.count > 0)
		error = beside_parts_init(parts, n.file_system);
	for (size_t i = 0; i < n.count && !error; i++)
		error = take_part(b, &n, i, files, parts);
	neighbours_fini(&n);
	if (error) {
		beside_fini(&now);
		beside_parts_fini(parts);
		return error;
	}
	beside_fini(b);
	*b = now;
	return 0;
}

/* --- copies of a file that stays where it is ----------------------------------------------------------- */

static bool
is_at_path(int runs_dir_fd, const struct beside_file *file)
{
	struct stat stat;

	return fstatat(runs_dir_fd, file->path, &stat, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&stat, &file->stat);
}

/* Whether it was made since the file was begun to be followed. */
static bool
is_made_since(const struct beside_file *file, const struct neighbour *at)
{
	int64_t since_ms = file->begun_ms - TICK_MS;
	struct timespec since = { .tv_sec = since_ms / 1000, .tv_nsec = since_ms % 1000 * 1000000 };

	return neighbour_compare_times(&at->stat.st_mtim, &since) > 0 &&
	       (at->born.tv_sec == 0 || neighbour_compare_times(&at->born, &since) > 0);
}

static int
take_copy(struct beside *b, const struct neighbours *n, size_t index, const struct beside_file *file,
          struct beside_parts *parts)
{
	struct beside_candidate found;
	struct beside_part *part = &found.part;
	int opened = beside_parts_open(parts, n, index, "truncated", &found);
	uint64_t bytes;

	if (opened <= 0)
		return opened;
	bytes = (uint64_t)part->stat.st_size;
	found.alike = neighbour_compare_to_open(part->fd, bytes, file->fd);
	beside_parts_compare(parts, &found);
	found.known = beside_known_holds(&file->known, part->fd);
	if (file_fingerprint(part->fd, bytes, &part->fingerprint) < 0)
		found.alike = NEIGHBOUR_UNREADABLE;
	return take(b, parts, &found);
}

static bool
is_there(const struct neighbours *n, uint32_t identity)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->list[i].identity == identity)
			return true;
	return false;
}

/* How many of those that were there are not any more: they were compressed, as far as is known. */
static size_t
count_gone(const struct beside *b, const struct neighbours *n)
{
	size_t count = 0;

	for (size_t i = 0; i < b->count; i++)
		count += b->noted[i].identity != 0 && !b->noted[i].is_packed && !is_there(n, b->noted[i].identity);
	return count;
}

/* Leaves copies that may be of what nobody saw: of those that are compressed, none where as many have gone. */
static void
drop_old(struct neighbours *n, const struct beside *b, const struct beside_file *file)
{
	size_t gone = count_gone(b, n), packed = 0;

	for (size_t i = n->count; i > 0; i--)
		if (!is_new(b, &n->list[i - 1]) || is_same(&n->list[i - 1].stat, &file->stat) ||
		    n->list[i - 1].stat.st_size == 0 || !is_made_since(file, &n->list[i - 1]))
			neighbours_drop(n, i - 1);
		else
			packed += n->list[i - 1].is_packed;
	for (size_t i = n->count; i > 0 && packed <= gone; i--)
		if (n->list[i - 1].is_packed)
			neighbours_drop(n, i - 1);
}

/* What was read of it was so little that what it holds now begins with the same: a copy of it tells, which goes
 * on otherwise. 1, 0 or -errno. */
static int
is_other_by_copy(const struct neighbours *n, const struct beside_file *file)
{
	bool is_other = false;
	int error = 0;

	for (size_t i = 0; i < n->count && !error && !is_other; i++) {
		struct stat stat;
		int fd;

		/* What the file held before was copied before that was written which it holds now. */
		if (n->list[i].is_packed || neighbour_compare_times(&n->list[i].born, &file->stat.st_mtim) > 0)
			continue;
		error = neighbours_open(n, i, &stat, &fd);
		if (error == -EACCES || error == -EPERM) {
			error = 0; /* another may tell */
			continue;
		}
		if (error)
			return error;
		is_other = neighbour_holds(fd, &file->known.mark) &&
		           neighbour_compare_to_open(fd, (uint64_t)stat.st_size, file->fd) == NEIGHBOUR_OTHER;
		fd_close(&fd);
	}
	return error ? error : is_other;
}

static int
find_copies(struct neighbours *n, struct beside *b, struct beside_file *file, struct beside_parts *parts)
{
	int error = 0;

	drop_old(n, b, file);
	if (n->count > 0 && file->known.mark.offset > 0 && !file->is_other) {
		error = is_other_by_copy(n, file);
		file->is_other = error > 0;
	}
	/* What was read of it, and is there still, was never emptied. */
	if (error < 0 || n->count == 0 || (file->known.mark.offset > 0 && !file->is_other))
		return error;
	neighbours_sort(n);
	error = beside_parts_init(parts, n->file_system);
	for (size_t i = 0; i < n->count && !error; i++)
		error = take_copy(b, n, i, file, parts);
	return error;
}

int
beside_find_copies(struct beside *b, int runs_dir_fd, const char *directory, const char *name,
                   struct beside_file *file, struct beside_parts *ret_parts)
{
	struct beside_parts parts = { 0 };
	struct beside now = { 0 };
	struct neighbours n;
	int error = neighbours_list(runs_dir_fd, directory, name, &n);

	if (error)
		return error;
	error = note(&now, &n);
	/* Where it has gone meanwhile, what is beside it is to be found as what came behind it. */
	if (!error && !is_at_path(runs_dir_fd, file))
		error = -ESTALE;
	if (!error)
		error = find_copies(&n, b, file, &parts);
	neighbours_fini(&n);
	if (error) {
		beside_fini(&now);
		beside_parts_fini(&parts);
		return error;
	}
	beside_fini(b);
	*b = now;
	*ret_parts = parts;
	return 0;
}

int
beside_find(struct beside *b, int runs_dir_fd, const char *directory, const char *name,
            const struct beside_files *files, struct beside_parts *ret_parts)
{
	struct beside_parts parts = { 0 };
	int error = -ESTALE;

	/* Renamed while it was listed: what has which name is asked again. */
	for (int i = 0; i < TRIES && error == -ESTALE; i++)
		error = find_once(b, runs_dir_fd, directory, name, files, &parts);
	if (!error)
		*ret_parts = parts;
	return error;
}
