#include "follow_truth.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "driven.h"

enum { MOST_EPOCH_BYTES = 60 * 1000, MOST_NUMBERED = 6 };

struct epoch *
truth_last(const struct truth *t)
{
	return t->count > 0 ? t->epochs[t->count - 1] : NULL;
}

void
truth_path(const struct truth *t, char path[static 96])
{
	snprintf(path, 96, "%s/%s", t->directory, t->name);
}

/* What is done in the same millisecond is told apart, as by a kernel of today. */
static void
set_time(int fd)
{
	static int64_t last_ms;
	static long serial;
	int64_t now_ms = clock_wall_ms();
	struct timespec times[2];

	serial = now_ms == last_ms ? serial + 1 : 0;
	last_ms = now_ms;
	times[0] = times[1] = (struct timespec){ .tv_sec = now_ms / 1000,
		                                 .tv_nsec = now_ms % 1000 * 1000000 + serial };
	ck_assert_int_eq(futimens(fd, times), 0);
}

static void
put(struct truth *t, const char *path, int flags, const char *bytes, size_t length)
{
	/* Of files that begin alike it is by when they were made that one is known to be no copy. */
	int64_t apart_ms = (flags & O_CREAT) && t->begins_alike;
	int fd;

	driven_pass(apart_ms);
	fd = openat(t->runs_dir_fd, path, O_WRONLY | O_APPEND | flags, 0644);

	ck_assert_int_ge(fd, 0);
	if (flags & O_CREAT)
		driven_birth(fd);
	ck_assert_int_eq(fd_write_all(fd, bytes, length), 0);
	set_time(fd);
	fd_close(&fd);
	driven_pass(apart_ms);
}

/* --- epochs ---------------------------------------------------------------------------------------- */

static bool
has_room(const struct truth *t)
{
	return t->count < TRUTH_EPOCHS - 1 && t->archive_count < TRUTH_ARCHIVES - 1;
}

static void
note_inode(struct truth *t, struct epoch *e)
{
	char path[96];
	struct stat stat;

	truth_path(t, path);
	ck_assert_int_eq(fstatat(t->runs_dir_fd, path, &stat, 0), 0);
	e->device = stat.st_dev;
	e->inode = stat.st_ino;
}

static struct epoch *
begin(struct truth *t)
{
	struct epoch *e = calloc(1, sizeof(*e));

	ck_assert_ptr_nonnull(e);
	ck_assert_uint_lt(t->count, TRUTH_EPOCHS);
	e->kept = SIZE_MAX;
	if (t->count > 0)
		t->epochs[t->count - 1]->is_over = true;
	t->epochs[t->count++] = e;
	t->is_at_path = true;
	return e;
}

bool
truth_is_intact(const struct truth *t, size_t epoch)
{
	if (t->is_at_path && epoch == t->count - 1)
		return true;
	for (size_t i = 0; i < t->archive_count; i++)
		if (t->archives[i].epoch == epoch && t->archives[i].is_original)
			return true;
	return false;
}

/* Something was taken away: what is left of each epoch? */
static void
count_kept(struct truth *t)
{
	for (size_t e = 0; e < t->count; e++) {
		size_t kept = truth_is_intact(t, e) ? SIZE_MAX : 0;

		for (size_t i = 0; i < t->archive_count; i++)
			if (t->archives[i].epoch == e && t->archives[i].length > kept)
				kept = t->archives[i].length;
		if (kept < t->epochs[e]->kept)
			t->epochs[e]->kept = kept;
	}
}

/* --- writing --------------------------------------------------------------------------------------- */

static void
add(struct epoch *e, const char *bytes, size_t length)
{
	if (e->length + length > e->capacity) {
		e->capacity = (e->length + length) * 2;
		e->bytes = realloc(e->bytes, e->capacity);
		ck_assert_ptr_nonnull(e->bytes);
	}
	memcpy(e->bytes + e->length, bytes, length);
	e->length += length;
}

/* A part of a line, the head of a new one if the last has its end; end: and its end. */
static void
put_line(const struct truth *t, size_t epoch, size_t length, bool end, bool cr)
{
	struct epoch *e = t->epochs[epoch];
	static const char *const some[] = { "a", "b", "c", " ", "\xc3\xa9", "\xe2\x82\xac", "\"" };

	if (e->length == 0 || e->bytes[e->length - 1] == '\n') {
		e->lines_begun++;
		e->owes_name = true;
		if (t->begins_alike)
			add(e, "line ", 5);
		if (t->begins_alike && !end && length % 2 == 0)
			return;
	}
	if (e->owes_name) {
		char name[64];
		int n = snprintf(name, sizeof(name), "%c%zu.%zu ", t->name[9], epoch, e->lines_begun);

		add(e, name, (size_t)n);
		e->owes_name = false;
	}
	for (size_t i = 0; i < length; i++) {
		const char *c = some[(i * 7 + e->lines_begun * 3 + e->length) % 7];

		add(e, c, strlen(c));
	}
	if (cr)
		add(e, "\r", 1);
	if (end)
		add(e, "\n", 1);
}

static void
put_lines(const struct truth *t, size_t epoch, uint32_t lines, uint32_t line_bytes, uint32_t part_bytes,
          bool cr)
{
	for (uint32_t i = 0; i < lines && t->epochs[epoch]->length < MOST_EPOCH_BYTES; i++)
		put_line(t, epoch, line_bytes ? (i * 13 + line_bytes) % line_bytes : 0, true,
		         (i + line_bytes) % 5 == 0);
	if (part_bytes > 0 && t->epochs[epoch]->length < MOST_EPOCH_BYTES)
		put_line(t, epoch, part_bytes, false, cr);
}

/* Writes what was added to an epoch to its file. */
static void
flush(struct truth *t, size_t epoch, size_t from, const char *path, int flags)
{
	struct epoch *e = t->epochs[epoch];

	if (from == 0 && e->length > 0)
		t->note(t, e, TRUTH_BEGINS, e->length);
	/* Emptied twice, it is past what it held before that as well. */
	for (size_t k = epoch; k > 0 && t->epochs[k - 1]->is_truncated && t->epochs[k - 1]->inode == e->inode; k--)
		t->note(t, t->epochs[k - 1], TRUTH_REGROWS, e->length);
	put(t, path, flags, e->bytes + from, e->length - from);
}

void
truth_append(struct truth *t, uint32_t lines, uint32_t line_bytes, uint32_t part_bytes, bool cr)
{
	bool is_new = !t->is_at_path;
	char path[96];
	size_t from;

	if (is_new && !has_room(t))
		return;
	if (is_new)
		begin(t);
	truth_path(t, path);
	from = truth_last(t)->length;
	put_lines(t, t->count - 1, lines, line_bytes, part_bytes, cr);
	flush(t, t->count - 1, from, path, is_new ? O_CREAT | O_EXCL : 0);
	if (is_new)
		note_inode(t, truth_last(t));
}

void
truth_append_late(struct truth *t, uint32_t lines)
{
	size_t epoch = t->count - 1;
	struct archive *a = NULL;
	size_t from;

	if (t->count == 0)
		return;
	if (t->is_at_path && truth_last(t)->length > 0)
		return; /* too late: it may have been left behind */
	if (t->is_at_path) {
		if (epoch == 0)
			return;
		epoch--;
	}
	for (size_t i = 0; i < t->archive_count; i++)
		if (t->archives[i].epoch == epoch && t->archives[i].is_original)
			a = &t->archives[i];
	if (!a)
		return;
	from = t->epochs[epoch]->length;
	put_lines(t, epoch, lines, 40, lines % 2 ? 9 : 0, false);
	flush(t, epoch, from, a->path, 0);
	a->length = t->epochs[epoch]->length;
}

/* --- rotating -------------------------------------------------------------------------------------- */

static void
forget_archive(struct truth *t, size_t index)
{
	memmove(&t->archives[index], &t->archives[index + 1],
	        (t->archive_count - index - 1) * sizeof(t->archives[0]));
	t->archive_count--;
}

static void
break_epoch(struct truth *t, size_t epoch)
{
	struct epoch *e = t->epochs[epoch];

	t->note(t, e, TRUTH_GOES, e->length);
	e->is_broken = true;
}

static void
unlink_archive(struct truth *t, size_t index)
{
	if (t->archives[index].is_original)
		break_epoch(t, t->archives[index].epoch);
	ck_assert_int_eq(unlinkat(t->runs_dir_fd, t->archives[index].path, 0), 0);
	forget_archive(t, index);
	count_kept(t);
}

/* The name of a new archive; those with numbers make room, from the oldest on. */
static void
make_name(struct truth *t, char path[static 96])
{
	if (t->is_dated) {
		snprintf(path, 96, "%s/%s.2026-01-01T%06u", t->directory, t->name, ++t->serial);
		return;
	}
	while (t->archive_count >= MOST_NUMBERED)
		unlink_archive(t, 0);
	for (size_t i = 0; i < t->archive_count; i++) {
		struct archive *a = &t->archives[i];
		char to[96];

		snprintf(to, sizeof(to), "%s/%s.%u", t->directory, t->name, ++a->number);
		ck_assert_int_eq(renameat(t->runs_dir_fd, a->path, t->runs_dir_fd, to), 0);
		memcpy(a->path, to, sizeof(to));
	}
	snprintf(path, 96, "%s/%s.1", t->directory, t->name);
}

static struct archive *
add_archive(struct truth *t, const char *path, bool is_original)
{
	struct archive *a = &t->archives[t->archive_count++];

	*a = (struct archive){ .epoch = t->count - 1, .length = truth_last(t)->length,
		               .is_original = is_original, .number = 1 };
	snprintf(a->path, sizeof(a->path), "%s", path);
	return a;
}

void
truth_rotate(struct truth *t, bool make, uint32_t late_lines)
{
	char path[96], to[96];
	struct epoch *e = truth_last(t);
	bool cr;

	if (!t->is_at_path || !has_room(t))
		return;
	t->note(t, e, TRUTH_MOVES, e->length);
	make_name(t, to);
	truth_path(t, path);
	ck_assert_int_eq(renameat(t->runs_dir_fd, path, t->runs_dir_fd, to), 0);
	add_archive(t, to, true);
	t->is_at_path = false;
	if (late_lines > 0)
		truth_append_late(t, late_lines);
	if (!make)
		return;
	cr = e->length > 0 && e->bytes[e->length - 1] == '\r';
	begin(t);
	if (cr)
		add(truth_last(t), "\n", 1); /* the line end was cut in two */
	flush(t, t->count - 1, 0, path, O_CREAT | O_EXCL);
	note_inode(t, truth_last(t));
}

void
truth_truncate(struct truth *t, bool copy, uint32_t lost_lines)
{
	struct epoch *e = truth_last(t);
	char path[96], to[96];
	size_t copied;
	int fd;

	if (!t->is_at_path || !has_room(t))
		return;
	truth_path(t, path);
	if (copy) {
		/* A copy is not made in the millisecond in which its file was seen to be emptied. */
		driven_pass(1);
		make_name(t, to);
		put(t, to, O_CREAT | O_EXCL, e->bytes, e->length);
	}
	copied = e->length;
	if (lost_lines > 0)
		truth_append(t, lost_lines, 30, 0, false);
	break_epoch(t, t->count - 1);
	e->is_truncated = true;
	fd = openat(t->runs_dir_fd, path, O_WRONLY | O_TRUNC);
	ck_assert_int_ge(fd, 0);
	set_time(fd);
	fd_close(&fd);
	if (copy)
		add_archive(t, to, false)->length = copied;
	begin(t);
	note_inode(t, truth_last(t));
	count_kept(t);
}

void
truth_regrow(struct truth *t, bool exactly)
{
	struct epoch *e = truth_last(t), *before = t->count > 1 ? t->epochs[t->count - 2] : NULL;
	char path[96];

	if (!t->is_at_path || !before || !before->is_truncated || e->length > 0 || before->length < 16)
		return;
	while (e->length < before->length)
		put_line(t, t->count - 1, 30, true, false);
	if (exactly) {
		e->length = before->length;
		/* No character is cut in two. */
		for (size_t i = 0; i < e->length; i++)
			if ((e->bytes[i] & 0x80) || e->bytes[i] == '\r')
				e->bytes[i] = '_';
		e->bytes[e->length - 1] = '\n';
	}
	truth_path(t, path);
	flush(t, t->count - 1, 0, path, 0);
}

void
truth_replace(struct truth *t, uint32_t lines)
{
	char path[96], new[96];

	if (!t->is_at_path || !has_room(t))
		return;
	break_epoch(t, t->count - 1);
	truth_path(t, path);
	snprintf(new, sizeof(new), "%s/new", t->directory);
	begin(t);
	put_lines(t, t->count - 1, lines, 50, 0, false);
	flush(t, t->count - 1, 0, new, O_CREAT | O_EXCL);
	ck_assert_int_eq(renameat(t->runs_dir_fd, new, t->runs_dir_fd, path), 0);
	note_inode(t, truth_last(t));
	count_kept(t);
}

void
truth_delete(struct truth *t)
{
	char path[96];

	if (!t->is_at_path)
		return;
	break_epoch(t, t->count - 1);
	truth_path(t, path);
	ck_assert_int_eq(unlinkat(t->runs_dir_fd, path, 0), 0);
	t->is_at_path = false;
	count_kept(t);
}

void
truth_empty_archive(struct truth *t, uint32_t which)
{
	struct archive *a;
	int fd;

	if (t->archive_count == 0)
		return;
	which %= (uint32_t)t->archive_count;
	a = &t->archives[which];
	break_epoch(t, a->epoch);
	if (a->is_original)
		t->epochs[a->epoch]->is_truncated = t->epochs[a->epoch]->is_emptied_late = true;
	fd = openat(t->runs_dir_fd, a->path, O_WRONLY | O_TRUNC);
	ck_assert_int_ge(fd, 0);
	set_time(fd);
	fd_close(&fd);
	a->is_original = false;
	a->length = 0;
	count_kept(t);
}

void
truth_delete_archive(struct truth *t, uint32_t which)
{
	if (t->archive_count == 0)
		return;
	which %= (uint32_t)t->archive_count;
	t->epochs[t->archives[which].epoch]->is_broken = true;
	unlink_archive(t, which);
}

void
truth_compress_archive(struct truth *t, uint32_t which)
{
	static const char *const endings[] = { ".gz", ".xz", ".zst", ".bz2" };
	struct archive *a;
	struct stat stat;
	char path[112];

	if (t->archive_count == 0)
		return;
	a = &t->archives[which % t->archive_count];
	snprintf(path, sizeof(path), "%s%s", a->path, endings[which % 4]);
	unlinkat(t->runs_dir_fd, path, 0); /* of one that bore the number before */
	ck_assert_int_eq(fstatat(t->runs_dir_fd, a->path, &stat, 0), 0);
	put(t, path, O_CREAT | O_EXCL, "\x1f\x8b packed\nnot lines\n", 20);
	ck_assert_int_eq(utimensat(t->runs_dir_fd, path, (struct timespec[]){ stat.st_mtim, stat.st_mtim }, 0),
	                 0);
	t->epochs[a->epoch]->is_broken = true;
	/* Emptied late, it looks like one that came and went where nobody saw it. */
	for (size_t i = 0; a->length == 0 && i < t->count; i++)
		t->epochs[i]->is_broken = true;
	unlink_archive(t, which % (uint32_t)t->archive_count);
}

void
truth_copy_beside(struct truth *t)
{
	struct epoch *e = truth_last(t);
	char path[96];

	if (!t->is_at_path)
		return;
	snprintf(path, sizeof(path), "%s/%s.%s", t->directory, t->name, e->length % 2 ? "bak" : "old");
	unlinkat(t->runs_dir_fd, path, 0);
	put(t, path, O_CREAT | O_EXCL, e->bytes, e->length);
	/* Who finds a copy cannot know whether it is one, where little is in it. */
	for (size_t i = 0; i < t->count; i++)
		t->epochs[i]->is_broken = true;
	e->is_beside = true;
}

void
truth_fini(struct truth *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->epochs[i]->bytes);
		free(t->epochs[i]);
	}
}
