#include "follow/neighbours.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/file_fingerprint.h"
#include "store/file_identity.h"
#include "store/run_dir.h"

enum {
	MOST_NAMES = 1024, /* looked at in a directory */
	LIST_TRIES = 4,
};

/* --- names ------------------------------------------------------------------------------------------ */

static bool
ends_with(const char *name, size_t length, const char *ending)
{
	size_t ending_length = strlen(ending);

	return length > ending_length && memcmp(name + length - ending_length, ending, ending_length) == 0;
}

/* The length of the name without the ending of a compressed file; its own if there is none. */
static size_t
unpacked_length(const char *name)
{
	static const char *const endings[] = { ".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".lzo",
		                               ".br", ".Z", ".z", ".zip", ".7z", ".tgz" };
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ends_with(name, length, endings[i]))
			return length - strlen(endings[i]);
	return length;
}

/* What a rotated file's name has behind the log's own: a number or a date, or a word. */
static bool
is_suffix(const char *suffix, size_t length)
{
	static const char *const words[] = { "old", "bak", "prev", "previous", "orig", "backup", "rotated",
		                             "archived", "save" };

	if (length < 2 || !strchr(".-_", suffix[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (isdigit((unsigned char)suffix[i]))
			return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == length - 1 && memcmp(suffix + 1, words[i], length - 1) == 0)
			return true;
	return false;
}

/* Whether the name is that of a part of the log. */
static bool
is_part(const char *log, const char *name)
{
	size_t length = strlen(log);

	return strncmp(name, log, length) == 0 &&
	       is_suffix(name + length, unpacked_length(name) - length);
}

/* The number at the end of a name, and how many digits it has: 0 where there is none. */
static size_t
number_of(const char *name, uint64_t *ret_number)
{
	size_t end = unpacked_length(name), start = end;

	while (start > 0 && isdigit((unsigned char)name[start - 1]))
		start--;
	*ret_number = 0;
	for (size_t i = start; i < end && i < start + 18; i++)
		*ret_number = *ret_number * 10 + (uint64_t)(name[i] - '0');
	return end - start;
}

/* By their names: below 0: a is the older one; 0: they do not tell. */
static int
compare_names(const struct neighbour *a, const struct neighbour *b)
{
	uint64_t a_number, b_number;
	size_t a_digits, b_digits;

	if (!a->name || !b->name)
		return 0;
	a_digits = number_of(a->name, &a_number);
	b_digits = number_of(b->name, &b_number);
	/* Up to four digits they count back: 1 is the last that was rotated. */
	if (a_digits > 0 && a_digits <= 4 && b_digits > 0 && b_digits <= 4 && a_number != b_number)
		return a_number > b_number ? -1 : 1;
	/* Dates, and numbers that count on. */
	if (a_digits > 4 && b_digits > 4)
		return strcmp(a->name, b->name);
	return 0;
}

/* --- order -------------------------------------------------------------------------------------------- */

int
neighbour_compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	if (a->tv_nsec != b->tv_nsec)
		return a->tv_nsec < b->tv_nsec ? -1 : 1;
	return 0;
}

bool
neighbour_is_born_after(const struct timespec *born, const struct timespec *time)
{
	return born->tv_sec > 0 && neighbour_compare_times(born, time) > 0;
}

bool
neighbour_is_before(const struct neighbour *a, const struct neighbour *b)
{
	/* A file that is renamed bears the time of its last line, which a late writer makes later; a copy
	 * was made when the next part began. */
	int modified = neighbour_compare_times(&a->stat.st_mtim, &b->stat.st_mtim);
	int born = a->born.tv_sec && b->born.tv_sec ? neighbour_compare_times(&a->born, &b->born) : 0;
	int named = compare_names(a, b);
	int sum = (modified > 0) - (modified < 0) + (born > 0) - (born < 0) + (named > 0) - (named < 0);

	if (sum == 0)
		sum = named != 0 ? named : modified;
	return sum < 0;
}

static bool
has_number(const struct neighbour *at)
{
	uint64_t number;

	return number_of(at->name, &number) > 0;
}

/* Puts the one at index among those before it, which are in order. */
static void
insert(struct neighbours *n, size_t index)
{
	struct neighbour taken = n->list[index];

	for (; index > 0 && neighbour_is_before(&taken, &n->list[index - 1]); index--)
		n->list[index] = n->list[index - 1];
	n->list[index] = taken;
}

void
neighbours_sort(struct neighbours *n)
{
	size_t numbered = 0;

	/* Not qsort(3): what is said of pairs need not be an order. Those of which less is known find
	 * their places among the others. */
	for (size_t i = 0; i < n->count; i++) {
		struct neighbour taken = n->list[i];

		if (!has_number(&taken))
			continue;
		n->list[i] = n->list[numbered];
		n->list[numbered] = taken;
		insert(n, numbered++);
	}
	for (size_t i = numbered; i < n->count; i++)
		insert(n, i);
}

/* --- listing ------------------------------------------------------------------------------------------ */

void
neighbours_drop(struct neighbours *n, size_t index)
{
	free(n->list[index].name);
	memmove(&n->list[index], &n->list[index + 1], (n->count - index - 1) * sizeof(n->list[0]));
	n->count--;
}

void
neighbours_fini(struct neighbours *n)
{
	while (n->count > 0)
		neighbours_drop(n, n->count - 1);
	free(n->list);
	n->list = NULL;
}

static void
note_birth(int fd, const char *name, int flags, struct neighbour *to)
{
	struct statx what = { 0 };

	if (statx(fd, name, flags, FILE_IDENTITY_MASK, &what) < 0)
		what = (struct statx){ 0 };
	to->identity = file_identity(&what);
	to->born = (struct timespec){ 0 };
	if (what.stx_mask & STATX_BTIME)
		to->born = (struct timespec){ .tv_sec = what.stx_btime.tv_sec,
			                      .tv_nsec = what.stx_btime.tv_nsec };
}

void
neighbour_of_fd(int fd, const struct stat *stat, struct neighbour *ret_neighbour)
{
	*ret_neighbour = (struct neighbour){ .stat = *stat };
	note_birth(fd, "", AT_EMPTY_PATH, ret_neighbour);
}

static bool
is_known(const struct neighbours *n, const struct stat *stat)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->list[i].stat.st_ino == stat->st_ino && n->list[i].stat.st_dev == stat->st_dev)
			return true;
	return false;
}

/* 0, or -ENOMEM. */
static int
add(struct neighbours *n, int directory_fd, const char *name)
{
	struct neighbour *to;
	struct stat stat;

	if (fstatat(directory_fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode) ||
	    is_known(n, &stat))
		return 0;
	if (n->count % 16 == 0) {
		struct neighbour *grown = realloc(n->list, (n->count + 16) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		n->list = grown;
	}
	to = &n->list[n->count];
	*to = (struct neighbour){ .name = strdup(name), .stat = stat };
	if (!to->name)
		return -ENOMEM;
	to->is_packed = unpacked_length(name) < strlen(name);
	note_birth(directory_fd, name, AT_SYMLINK_NOFOLLOW, to);
	n->count++;
	return 0;
}

static bool
has_name(const struct neighbours *n, const char *name, size_t length)
{
	for (size_t i = 0; i < n->count; i++)
		if (strlen(n->list[i].name) == length && memcmp(n->list[i].name, name, length) == 0)
			return true;
	return false;
}

/* What is being compressed is there itself. */
static void
drop_half_packed(struct neighbours *n)
{
	for (size_t i = n->count; i > 0; i--) {
		const struct neighbour *at = &n->list[i - 1];

		if (at->is_packed && has_name(n, at->name, unpacked_length(at->name)))
			neighbours_drop(n, i - 1);
	}
}

static int
list_once(struct neighbours *n, bool *ret_is_steady)
{
	struct stat before, after;
	struct dirent *entry;
	DIR *directory;
	int fd, error = run_dir_open_list(n->runs_dir_fd, n->directory, &fd);

	if (error)
		return error;
	if (fstat(fd, &before) < 0 || !(directory = fdopendir(fd))) {
		error = -errno;
		fd_close(&fd);
		return error;
	}
	n->changed = before.st_mtim;
	n->file_system = file_system_of(fd);
	while (!error && n->count < MOST_NAMES && (entry = readdir(directory)) != NULL)
		if (is_part(n->name, entry->d_name))
			error = add(n, fd, entry->d_name);
	*ret_is_steady = fstat(fd, &after) == 0 && neighbour_compare_times(&before.st_mtim, &after.st_mtim) == 0;
	closedir(directory);
	return error;
}

int
neighbours_list(int runs_dir_fd, const char *directory, const char *name,
                struct neighbours *ret_neighbours)
{
	struct neighbours n = { 0 };
	bool is_steady = false;
	int error = 0;

	/* A name that changes while it is listed may be missed, or seen twice. */
	for (int i = 0; i < LIST_TRIES && !error && !is_steady; i++) {
		neighbours_fini(&n);
		n = (struct neighbours){ .runs_dir_fd = runs_dir_fd, .directory = directory, .name = name };
		error = list_once(&n, &is_steady);
	}
	if (error) {
		neighbours_fini(&n);
		return error;
	}
	drop_half_packed(&n);
	*ret_neighbours = n;
	return 0;
}

/* --- content ------------------------------------------------------------------------------------------ */

int
neighbours_open(const struct neighbours *n, size_t index, struct stat *ret_stat, int *ret_fd)
{
	const struct neighbour *at = &n->list[index];
	char path[4096];
	size_t directory_length = strlen(n->directory), name_length = strlen(at->name);
	struct stat stat;
	int fd, error;

	if (directory_length + name_length + 2 > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, n->directory, directory_length);
	path[directory_length] = '/';
	memcpy(path + directory_length + 1, at->name, name_length + 1);
	error = run_dir_open_file(n->runs_dir_fd, path, &stat, &fd);
	if (error == -ENOENT)
		return -ESTALE;
	if (error)
		return error;
	if (stat.st_ino != at->stat.st_ino || stat.st_dev != at->stat.st_dev) {
		fd_close(&fd);
		return -ESTALE;
	}
	*ret_stat = stat;
	*ret_fd = fd;
	return 0;
}

int
neighbour_verify(int fd, const struct cursor_mark *mark)
{
	uint64_t found = 0;
	int error = file_fingerprint(fd, mark->offset, &found);

	if (error)
		return error == -ENODATA ? 0 : error;
	return found == mark->fingerprint;
}

bool
neighbour_holds(int fd, const struct cursor_mark *mark)
{
	return neighbour_verify(fd, mark) > 0;
}

/* Copies are made of what is there: one that is shorter, though the other was not written to any more when it
 * was made, is none. */
static bool
is_too_short_for_copy(int fd, int longer_fd)
{
	struct neighbour at = { 0 };
	struct stat longer;

	if (fstat(longer_fd, &longer) < 0)
		return false;
	note_birth(fd, "", AT_EMPTY_PATH, &at);
	return neighbour_is_born_after(&at.born, &longer.st_mtim);
}

enum neighbour_likeness
neighbour_compare(int a_fd, uint64_t a_bytes, int b_fd, uint64_t b_bytes)
{
	uint64_t common = a_bytes < b_bytes ? a_bytes : b_bytes, a_fingerprint = 0, b_fingerprint = 0;
	int error;

	if (common == 0)
		return NEIGHBOUR_OTHER;
	error = file_fingerprint(a_fd, common, &a_fingerprint);
	if (!error)
		error = file_fingerprint(b_fd, common, &b_fingerprint);
	if (error && error != -ENODATA)
		return NEIGHBOUR_UNREADABLE;
	if (error || a_fingerprint != b_fingerprint)
		return NEIGHBOUR_OTHER;
	if (common >= CURSOR_SHORT_BYTES)
		return NEIGHBOUR_COPY; /* so far, files are alike for a reason */
	if (a_bytes != b_bytes &&
	    is_too_short_for_copy(a_bytes < b_bytes ? a_fd : b_fd, a_bytes < b_bytes ? b_fd : a_fd))
		return NEIGHBOUR_OTHER;
	return NEIGHBOUR_COPY_MAYBE;
}

enum neighbour_likeness
neighbour_compare_to_open(int fd, uint64_t bytes, int open_fd)
{
	enum neighbour_likeness likeness;
	struct stat open;

	if (fstat(open_fd, &open) < 0)
		return NEIGHBOUR_UNREADABLE;
	likeness = neighbour_compare(fd, bytes, open_fd, (uint64_t)open.st_size);
	return likeness == NEIGHBOUR_COPY_MAYBE && bytes > (uint64_t)open.st_size ? NEIGHBOUR_OTHER : likeness;
}
