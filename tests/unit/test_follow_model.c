/*
 * Random sequences of what writers, administrators and clients do, against a model that knows
 * what was written: every reader sees every line once and in order, unless a gap says otherwise,
 * and a gap comes only where data became unreadable; nobody waits for what is there; `complete`
 * comes when all was delivered.
 *
 * FOLLOW_MODEL_SEED and FOLLOW_MODEL_COUNT replay and prolong; a failure names its seed. Time is
 * the kernel's and the helper threads', so a seed replays the operations, not each interleaving.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/file_generation.h"
#include "stream_fixture.h"

enum {
	RUNS = 6, /* at once, since most of the time goes by waiting */
	STEPS = 50,
	MOST_EPOCHS = 64,
	MOST_LINES = 1200,
	MOST_CLIENTS = 6,
	MAX_LINE_BYTES = 1024,
	HANG_MS = 8000,
};

struct line {
	char *text; /* as written so far, its end apart */
	size_t length;
	bool is_ended, has_cr; /* has_cr: a CR is the last byte before the end, or the last so far */
};

/* Content of a file from its start on: begun by creation or truncation. */
struct epoch {
	struct line lines[MOST_LINES];
	size_t count;
	dev_t device;
	ino_t inode;
	uint64_t bytes;
	char path[64];      /* where it lies now; "": nowhere */
	bool is_truncation; /* begun by truncating the epoch before it */
	bool is_lost;       /* no longer readable */
	bool is_over;       /* another one came */
	bool is_seen;       /* the follower looked at it while it was at the path */
	unsigned following; /* when it was begun: which follower, and how far its looks were */
	uint64_t looks_begun;
};

struct written {
	const char *name;
	struct epoch *epochs[MOST_EPOCHS];
	size_t count;
	bool is_at_path; /* the last epoch's file is */
	size_t followed_from; /* the first epoch that the follower may have found */
	unsigned archives;
};

struct position {
	size_t epoch, line, offset;
	bool is_finished;   /* the line was, without an end in the file */
	bool is_anywhere;   /* the first line may be any, up to this one */
	bool has_gap;       /* came last: what follows is the start of something */
	bool may_gap;       /* its client came back to what is not there any more */
	bool is_touched;    /* something of the epoch was delivered */
	size_t may_skip_to; /* epochs before this one were over when the client came */
};

struct client {
	struct reader *reader; /* NULL: none */
	size_t checked;
	bool is_beyond; /* what it reads can no longer be told */
	struct position at[CURSOR_FILES];
	struct position (*history)[CURSOR_FILES]; /* behind each event */
};

struct model {
	char id[16];
	struct written files[CURSOR_FILES];
	struct client clients[MOST_CLIENTS];
	unsigned following; /* counts followers */
	bool is_terminal, was_terminal;
	bool is_quiet; /* nothing was written since it is terminal */
};

static struct fixture f;
static struct model *models;
static uint64_t seed;

static void
seed_random(uint64_t with)
{
	seed = with * 0x9e3779b97f4a7c15 + 1;
}

static unsigned
below(unsigned limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % limit);
}

/* --- the truth ------------------------------------------------------------------------------------------ */

static struct epoch *
last_of(const struct written *w)
{
	return w->count > 0 ? w->epochs[w->count - 1] : NULL;
}

static struct source *
source_of(const struct model *m, int file)
{
	for (size_t i = 0; i < MOST_CLIENTS; i++)
		if (m->clients[i].reader)
			return reader_channel(m->clients[i].reader)->sources[file];
	return NULL;
}

static void
stat_epoch(struct epoch *e)
{
	struct stat stat;

	ck_assert_int_eq(fstatat(f.runs_dir_fd, e->path, &stat, 0), 0);
	e->device = stat.st_dev;
	e->inode = stat.st_ino;
}

/* The last epoch is over: was it ever looked at? */
static void
end_epoch(struct model *m, int file)
{
	struct epoch *e = last_of(&m->files[file]);
	struct source *source = source_of(m, file);

	if (!e || e->is_over)
		return;
	e->is_over = true;
	e->is_seen = source && source->is_ready &&
	             (e->following != m->following || source->looked > e->looks_begun);
}

static struct epoch *
begin_epoch(struct model *m, int file, bool is_truncation)
{
	struct written *w = &m->files[file];
	struct source *source = source_of(m, file);
	struct epoch *e = calloc(1, sizeof(*e));

	ck_assert_ptr_nonnull(e);
	ck_assert_uint_lt(w->count, MOST_EPOCHS);
	e->is_truncation = is_truncation;
	e->following = m->following;
	e->looks_begun = source ? source->looks_begun : 0;
	snprintf(e->path, sizeof(e->path), "%s/%s", m->id, w->name);
	w->epochs[w->count++] = e;
	w->is_at_path = true;
	return e;
}

static void
write_raw(const char *path, const char *bytes, size_t length, int flags)
{
	int fd = openat(f.runs_dir_fd, path, O_WRONLY | O_APPEND | flags, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, bytes, length), 0);
	fd_close(&fd);
}

/* More of the text of a line, its end perhaps; a new line if the last one has its end. */
static void
put_more(const struct written *w, size_t epoch, struct buf *out, size_t length, bool end)
{
	struct epoch *e = w->epochs[epoch];
	struct line *l;
	bool crlf = below(6) == 0;

	if (e->count == 0 || e->lines[e->count - 1].is_ended) {
		char head[64];
		int n;

		if (e->count == MOST_LINES)
			return;
		l = &e->lines[e->count++];
		l->text = malloc(64 * 1024);
		ck_assert_ptr_nonnull(l->text);
		n = snprintf(head, sizeof(head), "%c%zu.%zu ", w->name[9], epoch, e->count);
		memcpy(l->text, head, (size_t)n);
		l->length = (size_t)n;
		buf_append(out, head, (size_t)n);
	}
	l = &e->lines[e->count - 1];
	for (size_t i = 0; i < length && l->length < 60 * 1024; i++) {
		static const char *const some[] = { "a", "b", "c", " ", "\xc3\xa9", "\xe2\x82\xac", "\"" };
		const char *c = some[below(7)];

		memcpy(l->text + l->length, c, strlen(c));
		l->length += strlen(c);
		buf_puts(out, c);
	}
	if (end) {
		buf_puts(out, crlf ? "\r\n" : "\n");
		l->is_ended = true;
	}
}

static void
append_to(const struct written *w, size_t epoch, const struct buf *bytes, int flags)
{
	struct epoch *e = w->epochs[epoch];

	write_raw(e->path, bytes->data, bytes->length_bytes, flags);
	e->bytes += bytes->length_bytes;
	if (flags & O_CREAT)
		stat_epoch(e);
}

static void
put_lines(const struct written *w, size_t epoch, struct buf *out, unsigned count, unsigned length)
{
	for (unsigned i = 0; i < count; i++)
		put_more(w, epoch, out, below(length), true);
}

/* Lines, or a part of one, at the end of the file, which is made if need be. */
static void
append(struct model *m, int file, unsigned count, unsigned length, bool is_part)
{
	struct written *w = &m->files[file];
	struct buf bytes = BUF_INIT;
	bool is_new = !w->is_at_path;

	if (is_new) {
		if (w->count == MOST_EPOCHS - 1)
			return;
		end_epoch(m, file);
		begin_epoch(m, file, false);
	}
	put_lines(w, w->count - 1, &bytes, count, length);
	if (is_part)
		put_more(w, w->count - 1, &bytes, below(length), false);
	append_to(w, w->count - 1, &bytes, is_new ? O_CREAT | O_EXCL : 0);
	buf_fini(&bytes);
}

static void
step(unsigned count)
{
	while (count-- > 0)
		fixture_turn(&f, 1);
}

/* Rotated files are told in order by their times, which the kernel does not tell apart where
 * rotations are milliseconds apart. */
static void
set_time(const char *path)
{
	static time_t now_s = 1600000000;
	struct timespec times[2] = { { .tv_sec = now_s }, { .tv_sec = now_s } };

	now_s++;
	ck_assert_int_eq(utimensat(f.runs_dir_fd, path, times, 0), 0);
}

static void
rename_away(struct model *m, int file)
{
	struct written *w = &m->files[file];
	struct epoch *e = last_of(w);
	char to[64];

	if (!w->is_at_path)
		return;
	snprintf(to, sizeof(to), "%s/%s.%u", m->id, w->name, ++w->archives);
	ck_assert_int_eq(renameat(f.runs_dir_fd, e->path, f.runs_dir_fd, to), 0);
	memcpy(e->path, to, sizeof(to));
	w->is_at_path = false;
	set_time(to);
}

static void
rotate(struct model *m, int file)
{
	struct written *w = &m->files[file];
	struct buf bytes = BUF_INIT;

	if (!w->is_at_path)
		return;
	end_epoch(m, file);
	rename_away(m, file);
	step(below(4));
	if (below(2)) {
		/* The writer has not noticed yet. */
		put_lines(w, w->count - 1, &bytes, below(3), 40);
		if (below(3) == 0)
			put_more(w, w->count - 1, &bytes, 10, false);
		append_to(w, w->count - 1, &bytes, 0);
		buf_fini(&bytes);
		set_time(last_of(w)->path);
		step(below(3));
	}
	if (below(4))
		append(m, file, below(4), 60, below(3) == 0);
}

static void
truncate_file(struct model *m, int file)
{
	struct written *w = &m->files[file];
	struct epoch *e = last_of(w);
	struct buf bytes = BUF_INIT;
	int fd;

	if (!w->is_at_path || w->count == MOST_EPOCHS - 1)
		return;
	if (below(2)) {
		/* Kept under another name, as logrotate's copytruncate does. */
		char to[64], copy[4096];
		ssize_t n;

		snprintf(to, sizeof(to), "%s/%s.%u", m->id, w->name, ++w->archives);
		fd = openat(f.runs_dir_fd, e->path, O_RDONLY);
		write_raw(to, "", 0, O_CREAT | O_EXCL);
		while ((n = read(fd, copy, sizeof(copy))) > 0)
			write_raw(to, copy, (size_t)n, 0);
		fd_close(&fd);
		set_time(to);
	}
	end_epoch(m, file);
	fd = openat(f.runs_dir_fd, e->path, O_WRONLY | O_TRUNC);
	ck_assert_int_ge(fd, 0);
	fd_close(&fd);
	e->is_lost = true;
	*e->path = '\0';
	begin_epoch(m, file, true);
	stat_epoch(last_of(w));
	switch (below(4)) {
	case 0: /* past the old size before anybody looks */
		while (bytes.length_bytes <= e->bytes && last_of(w)->count < MOST_LINES)
			put_lines(w, w->count - 1, &bytes, 1, 200);
		append_to(w, w->count - 1, &bytes, 0);
		buf_fini(&bytes);
		break;
	case 1:
		append(m, file, 1 + below(3), 60, false);
		break;
	default:
		break;
	}
}

static void
replace(struct model *m, int file)
{
	struct written *w = &m->files[file];
	struct epoch *e;
	struct buf bytes = BUF_INIT;
	char path[64];

	if (!w->is_at_path || w->count == MOST_EPOCHS - 1)
		return;
	end_epoch(m, file);
	set_time(last_of(w)->path);
	*last_of(w)->path = '\0';
	e = begin_epoch(m, file, false);
	put_lines(w, w->count - 1, &bytes, below(5), 60);
	snprintf(path, sizeof(path), "%s/new", m->id);
	write_raw(path, bytes.data, bytes.length_bytes, O_CREAT | O_EXCL);
	ck_assert_int_eq(renameat(f.runs_dir_fd, path, f.runs_dir_fd, e->path), 0);
	e->bytes = bytes.length_bytes;
	stat_epoch(e);
	buf_fini(&bytes);
}

static void
delete_file(struct model *m, int file)
{
	struct written *w = &m->files[file];

	if (!w->is_at_path)
		return;
	end_epoch(m, file);
	set_time(last_of(w)->path);
	ck_assert_int_eq(unlinkat(f.runs_dir_fd, last_of(w)->path, 0), 0);
	*last_of(w)->path = '\0';
	w->is_at_path = false;
}

/* A file that was rotated away is emptied while some may still be in it. */
static void
empty_archive(struct model *m, int file)
{
	struct written *w = &m->files[file];
	struct epoch *e;
	int fd;

	if (w->count < 2)
		return;
	e = w->epochs[below((unsigned)w->count - 1)];
	if (!*e->path || !e->is_over)
		return;
	fd = openat(f.runs_dir_fd, e->path, O_WRONLY | O_TRUNC);
	ck_assert_int_ge(fd, 0);
	fd_close(&fd);
	e->is_lost = true;
}

/* --- what readers must have seen ------------------------------------------------------------------------ */

static bool
is_complete(const struct written *w, const struct position *p)
{
	const struct epoch *e;

	if (p->epoch >= w->count)
		return true;
	e = w->epochs[p->epoch];
	if (p->line == e->count)
		return true;
	return p->line == e->count - 1 && p->offset == e->lines[p->line].length && p->is_finished;
}

/* Nothing of it needs to be delivered to someone who saw nothing of it. */
static bool
may_skip(const struct written *w, size_t epoch, const struct position *p)
{
	const struct epoch *e = w->epochs[epoch];

	return e->bytes == 0 || e->is_lost || (e->is_over && !e->is_seen) || epoch < p->may_skip_to;
}

/* Whether a reader may be at the start of an epoch after its place, without a gap. */
static bool
may_follow(const struct written *w, const struct position *p, size_t epoch)
{
	if (p->epoch < w->count && epoch > p->epoch && !is_complete(w, p) &&
	    (p->is_touched || !may_skip(w, p->epoch, p)))
		return false;
	for (size_t e = p->epoch + 1; e < epoch; e++)
		if (!may_skip(w, e, p))
			return false;
	return epoch > p->epoch;
}

static bool
gap_is_due(const struct written *w, const struct position *p)
{
	if (p->may_gap)
		return true;
	for (size_t e = p->epoch; e < w->count; e++)
		if (w->epochs[e]->is_lost || w->epochs[e]->is_truncation)
			return true;
	return false;
}

/* Takes a fragment at a place if it is what comes there. */
static bool
take_at(const struct model *m, const struct written *w, struct position *p, const char *text,
        bool is_partial, int64_t n)
{
	const struct epoch *e;
	const struct line *l;
	struct position at = *p;
	size_t length = strlen(text);

	if (at.epoch >= w->count)
		return false;
	e = w->epochs[at.epoch];
	/* A line that was finished at its end so far is over, unless it went on. */
	if (at.line < e->count && at.is_finished && at.offset == e->lines[at.line].length) {
		if (e->lines[at.line].is_ended && length == 0 && !is_partial && n == (int64_t)at.line + 1) {
			/* All that came later was its end. */
			p->line++;
			p->offset = 0;
			p->is_finished = false;
			return true;
		}
		at.line++;
		at.offset = 0;
		at.is_finished = false;
	}
	/* It was finished before its end came, though both are looked at here behind that. */
	if (at.line > 0 && at.offset == 0 && length == 0 && !is_partial && n == (int64_t)at.line &&
	    (m->was_terminal || e->is_over))
		return true;
	if (at.line >= e->count || n != (int64_t)at.line + 1)
		return false;
	l = &e->lines[at.line];
	if (length > l->length - at.offset || memcmp(l->text + at.offset, text, length) != 0)
		return false;
	at.is_finished = false;
	at.is_anywhere = at.has_gap = at.may_gap = false;
	at.is_touched = true;
	at.offset += length;
	if (is_partial) {
		if (length == 0)
			return false;
	} else if (at.offset == l->length && l->is_ended) {
		at.line++;
		at.offset = 0;
	} else {
		/* The end of what has no line end: only where no more was to come. */
		if (!m->was_terminal && !e->is_over)
			return false;
		at.is_finished = true;
	}
	*p = at;
	return true;
}

static bool
take_start(const struct model *m, const struct written *w, struct position *p, size_t epoch,
           size_t line, const char *text, bool is_partial, int64_t n)
{
	struct position at = *p;

	at.epoch = epoch;
	at.line = line;
	at.offset = 0;
	at.is_finished = false;
	if (!take_at(m, w, &at, text, is_partial, n))
		return false;
	*p = at;
	return true;
}

static void
explain(const struct model *m, const struct client *c, const char *what)
{
	fprintf(stderr, "%s: %s\n", m->id, what);
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct written *w = &m->files[i];
		const struct position *p = &c->at[i];

		fprintf(stderr, "%s at %zu.%zu+%zu%s%s%s%s skip to %zu\n", w->name, p->epoch, p->line + 1,
		        p->offset, p->is_finished ? " finished" : "", p->has_gap ? " gap" : "",
		        p->is_anywhere ? " anywhere" : "", p->is_touched ? " touched" : "",
		        p->may_skip_to);
		for (size_t e = 0; e < w->count; e++)
			fprintf(stderr, "  %zu: %zu lines%s, %llu bytes, inode %llu%s%s%s%s %s\n", e,
			        w->epochs[e]->count,
			        w->epochs[e]->count && !w->epochs[e]->lines[w->epochs[e]->count - 1].is_ended
			                ? " (last open)"
			                : "",
			        (unsigned long long)w->epochs[e]->bytes,
			        (unsigned long long)w->epochs[e]->inode,
			        w->epochs[e]->is_truncation ? " truncation" : "",
			        w->epochs[e]->is_lost ? " lost" : "", w->epochs[e]->is_over ? " over" : "",
			        w->epochs[e]->is_seen ? " seen" : "", w->epochs[e]->path);
	}
	for (size_t i = c->checked > 12 ? c->checked - 12 : 0; i < c->reader->count; i++) {
		fprintf(stderr, "%c %zu %.12s %s %.150s\n", i == c->checked ? '>' : ' ', i,
		        c->reader->events[i].id, c->reader->events[i].name,
		        json_object_to_json_string(c->reader->events[i].data));
		if (i > c->checked + 3)
			break;
	}
	ck_abort_msg("%s: %s", m->id, what);
}

static void
check_log(struct model *m, struct client *c, const struct read_event *e)
{
	int file = strcmp(event_text(e, "stream"), "stderr") == 0;
	const struct written *w = &m->files[file];
	struct position *p = &c->at[file];
	const char *text = event_text(e, "line");
	bool is_partial = event_flag(e, "partial");
	int64_t n = event_number(e, "n");
	struct cursor cursor;

	if (event_flag(e, "lossy") && m->was_terminal) {
		/* A file rewritten behind the end of its run was finished at the size it had. */
		c->is_beyond = true;
		return;
	}
	if (event_flag(e, "lossy"))
		explain(m, c, "a character was cut");
	if (cursor_parse(e->id, strlen(e->id), &cursor) < 0 ||
	    cursor.files[file].lines != (uint64_t)n - is_partial)
		explain(m, c, "the id does not count its lines");
	if (!p->has_gap && !p->is_anywhere && take_at(m, w, p, text, is_partial, n))
		return;
	if (p->is_anywhere)
		for (size_t epoch = p->epoch; epoch < w->count; epoch++)
			/* It may have begun late; and what was truncated may have grown again before the
			 * first look. */
			if (n >= 1 &&
			    (epoch == p->epoch ? (size_t)n - 1 <= p->line
			                       : n == 1 || epoch <= p->may_skip_to ||
			                                 w->epochs[epoch]->is_truncation) &&
			    take_start(m, w, p, epoch, (size_t)n - 1, text, is_partial, n))
				return;
	for (size_t epoch = p->epoch; epoch < w->count; epoch++) {
		/* Of content that is lost, what was rendered before may be given again. */
		bool may = p->has_gap ? epoch > p->epoch || w->epochs[epoch]->is_truncation ||
		                                  w->epochs[epoch]->is_lost || !p->is_touched
		                      : may_follow(w, p, epoch);

		if (may && take_start(m, w, p, epoch, 0, text, is_partial, n))
			return;
	}
	explain(m, c, "not what comes next");
}

static void
check_gap(struct model *m, struct client *c, const struct read_event *e)
{
	for (int i = 0; i < CURSOR_FILES; i++) {
		if (strcmp(event_text(e, "stream"), i ? "stderr" : "stdout") != 0)
			continue;
		if (!gap_is_due(&m->files[i], &c->at[i]))
			explain(m, c, "a gap where nothing was lost");
		c->at[i].has_gap = true;
		c->at[i].is_anywhere = false;
		return;
	}
	explain(m, c, "a gap of nothing");
}

/* Whether all that can be has been delivered; parts of lines as far as they go. */
static bool
has_all(const struct model *m, const struct client *c, bool is_end)
{
	for (int i = 0; i < CURSOR_FILES && !c->is_beyond; i++) {
		const struct written *w = &m->files[i];
		struct position p = c->at[i];

		if (p.is_anywhere) {
			/* From the end on, perhaps: nothing came. */
			if (p.epoch < w->count && p.line < w->epochs[p.epoch]->count &&
			    p.epoch >= p.may_skip_to)
				return false;
		} else if (!p.has_gap && p.epoch < w->count && !is_complete(w, &p)) {
			const struct line *l = &w->epochs[p.epoch]->lines[p.line];
			bool is_last = p.line == w->epochs[p.epoch]->count - 1 && !l->is_ended;

			if (!(is_last && p.offset == l->length && !is_end) &&
			    (p.is_touched || !may_skip(w, p.epoch, &p)))
				return false;
		}
		for (size_t e = p.epoch + 1; e < w->count; e++)
			if (!may_skip(w, e, &p) && !(p.has_gap && e < w->count - 1) &&
			    !(p.is_anywhere && (e <= p.may_skip_to || w->epochs[e]->is_truncation)))
				return false;
	}
	return true;
}

static void
check_client(struct model *m, struct client *c)
{
	struct reader *r = c->reader;

	/* It begins when it is first served. */
	for (int i = 0; c->checked == 0 && i < CURSOR_FILES; i++) {
		const struct written *w = &m->files[i];
		struct position *p = &c->at[i];

		p->may_skip_to = w->is_at_path ? w->count - 1 : w->count;
		if (p->is_anywhere && p->epoch < w->count && p->line < w->epochs[p->epoch]->count)
			p->line = w->epochs[p->epoch]->count;
	}
	for (; c->checked < r->count; c->checked++) {
		const struct read_event *e = &r->events[c->checked];

		if (c->is_beyond)
			continue;
		if (strcmp(e->name, "log") == 0)
			check_log(m, c, e);
		else if (strcmp(e->name, "gap") == 0)
			check_gap(m, c, e);
		else if (strcmp(e->name, "complete") == 0 && m->is_quiet && !has_all(m, c, true))
			explain(m, c, "complete too early");
		memcpy(c->history[c->checked], c->at, sizeof(c->at));
	}
}

static void
check_all(void)
{
	for (size_t i = 0; i < RUNS; i++)
		for (size_t j = 0; j < MOST_CLIENTS; j++)
			if (models[i].clients[j].reader)
				check_client(&models[i], &models[i].clients[j]);
}

/* --- clients -------------------------------------------------------------------------------------------------- */

static void
disconnect(struct model *m, struct client *c)
{
	check_client(m, c);
	reader_free(&c->reader);
	free(c->history);
	c->history = NULL;
	if (!source_of(m, 0))
		m->following++;
}

/* The oldest epoch that the follower may take for the current one. */
static size_t
current_epoch(const struct model *m, int file)
{
	const struct written *w = &m->files[file];
	struct source *source = source_of(m, file);
	const struct file_generation *g;

	if (!source)
		return w->is_at_path ? w->count - 1 : w->count;
	if (!source->is_ready)
		return w->followed_from;
	g = file_generation_of(source->current);
	for (size_t e = w->count; g->fd >= 0 && e-- > 0;)
		if (w->epochs[e]->inode == g->inode && w->epochs[e]->device == g->device) {
			while (w->epochs[e]->is_truncation)
				e--;
			return e;
		}
	/* None was found yet, but one that is gone by now may be in somebody's hands. */
	for (size_t e = w->is_at_path ? w->count - 1 : w->count;; e--)
		if (e == 0 || w->epochs[e - 1]->is_seen)
			return e;
}

static void
connect_client(struct model *m, struct client *c, const struct start *start,
               const struct position at[CURSOR_FILES])
{
	for (int i = 0; !source_of(m, 0) && i < CURSOR_FILES; i++)
		m->files[i].followed_from = current_epoch(m, i);
	memcpy(c->at, at, sizeof(c->at));
	c->checked = 0;
	c->is_beyond = false;
	c->history = calloc(READER_EVENTS, sizeof(*c->history));
	ck_assert_ptr_nonnull(c->history);
	c->reader = reader_new(&f, m->id, CHANNEL_BOTH, start);
}

static void
subscribe(struct model *m, struct client *c)
{
	struct start start = { .kind = START_BEGINNING };
	struct position at[CURSOR_FILES] = { 0 };

	switch (below(4)) {
	case 0:
		start.kind = START_END;
		break;
	case 1:
		start.kind = START_TAIL;
		start.tail_lines = below(10);
		break;
	default:
		break;
	}
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct written *w = &m->files[i];

		at[i].epoch = current_epoch(m, i);
		at[i].may_skip_to = w->is_at_path ? w->count - 1 : w->count;
		at[i].is_anywhere = start.kind != START_BEGINNING;
		/* Without a look yet, "now" is the first one. */
		if (at[i].is_anywhere)
			at[i].line = source_of(m, i) && at[i].epoch < w->count
			                     ? w->epochs[at[i].epoch]->count
			                     : MOST_LINES;
	}
	connect_client(m, c, &start, at);
}

static void
resume(struct model *m, struct client *c)
{
	struct reader *r = c->reader;
	struct start start = { .kind = START_CURSOR };
	struct position at[CURSOR_FILES];
	size_t from;
	int error;

	check_client(m, c);
	if (r->count == 0 || c->is_beyond)
		return;
	from = below(2) ? r->count - 1 : below((unsigned)r->count);
	if (!*r->events[from].id)
		return;
	error = cursor_parse(r->events[from].id, strlen(r->events[from].id), &start.cursor);
	ck_assert_int_eq(error, 0);
	memcpy(at, c->history[from], sizeof(at));
	disconnect(m, c);
	step(below(3));
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct written *w = &m->files[i];
		struct position *p = &at[i];
		size_t current = current_epoch(m, i);

		if (!start.cursor.files[i].has_mark && p->is_anywhere) {
			/* There was no file: all that is in one is new. */
			p->is_anywhere = false;
			p->line = 0;
		}
		p->may_skip_to = w->is_at_path ? w->count - 1 : w->count;
		p->may_gap = true;
		if (p->is_touched && !p->has_gap && p->epoch == current && p->epoch < w->count &&
		    p->epoch >= p->may_skip_to)
			p->may_gap = w->epochs[p->epoch]->is_lost;
	}
	connect_client(m, c, &start, at);
}

static void
act_on_client(struct model *m)
{
	struct client *c = &m->clients[below(MOST_CLIENTS)];

	if (!c->reader) {
		subscribe(m, c);
		return;
	}
	switch (below(6)) {
	case 0:
		c->reader->is_stuck = true;
		break;
	case 1:
		c->reader->blocks_left = 1 + below(3);
		c->reader->is_stuck = false;
		break;
	case 2:
		c->reader->is_stuck = false;
		break;
	case 3:
		if (below(3) == 0)
			disconnect(m, c);
		break;
	default:
		resume(m, c);
		break;
	}
}

static void
set_status(struct model *m, bool is_terminal)
{
	m->is_terminal = is_terminal;
	m->was_terminal |= is_terminal;
	m->is_quiet = is_terminal;
	fixture_put_run(&f, m->id, is_terminal ? "completed" : "running", is_terminal ? 0 : -1);
}

/* --- sequences -------------------------------------------------------------------------------------------------- */

static void
act_on_file(struct model *m)
{
	int file = (int)below(CURSOR_FILES);
	unsigned what = below(100);

	m->is_quiet = false;
	if (what < 45)
		append(m, file, 1 + below(4), 80, false);
	else if (what < 55)
		append(m, file, below(60), 500, below(3) == 0);
	else if (what < 57)
		append(m, file, 0, 8000, true);
	else if (what < 72)
		append(m, file, 0, 30, true);
	else if (what < 82)
		rotate(m, file);
	else if (what < 89)
		truncate_file(m, file);
	else if (what < 94)
		replace(m, file);
	else if (what < 97)
		delete_file(m, file);
	else
		empty_archive(m, file);
}

static void
act(struct model *m)
{
	unsigned what = below(100);

	if (what < 55)
		act_on_file(m);
	else if (what < 85)
		act_on_client(m);
	else if (what < 90)
		set_status(m, !m->is_terminal);
	else
		step(below(12));
}

static void
wait_for_all(void)
{
	int64_t until_ms = clock_now_ms() + HANG_MS;
	bool is_waiting;

	do {
		is_waiting = false;
		fixture_turn(&f, 5);
		check_all();
		for (size_t i = 0; i < RUNS; i++) {
			struct model *m = &models[i];

			for (size_t j = 0; j < MOST_CLIENTS; j++) {
				struct client *c = &m->clients[j];

				if (!c->reader)
					continue;
				c->reader->is_stuck = false;
				c->reader->blocks_left = 0;
				if (c->reader->is_over || (!m->is_terminal && has_all(m, c, false)))
					continue;
				is_waiting = true;
				if (clock_now_ms() > until_ms)
					explain(m, c, "waits in vain");
			}
		}
	} while (is_waiting);
}

static void
new_model(struct model *m, size_t index)
{
	static const char *const names[CURSOR_FILES] = { "agent-stdout.txt", "agent-stderr.txt" };

	memset(m, 0, sizeof(*m));
	snprintf(m->id, sizeof(m->id), "r%zu", index);
	m->files[0].name = names[0];
	m->files[1].name = names[1];
	set_status(m, false);
	m->was_terminal = false;
}

static void
free_model(struct model *m)
{
	for (size_t i = 0; i < MOST_CLIENTS; i++)
		if (m->clients[i].reader)
			disconnect(m, &m->clients[i]);
	for (int i = 0; i < CURSOR_FILES; i++)
		for (size_t e = 0; e < m->files[i].count; e++) {
			for (size_t l = 0; l < m->files[i].epochs[e]->count; l++)
				free(m->files[i].epochs[e]->lines[l].text);
			free(m->files[i].epochs[e]);
		}
}

/* Nobody who has everything makes anybody look, or turn, more often than the intervals say. */
static void
check_idle(void)
{
	int64_t began_ms = clock_now_ms(), until_ms = began_ms + 40, passed_ms;
	uint64_t looks = 0, turns = 0;

	for (size_t i = 0; i < RUNS; i++)
		for (int j = 0; j < CURSOR_FILES; j++)
			looks -= source_of(&models[i], j) ? source_of(&models[i], j)->looks_begun : 0;
	for (; clock_now_ms() < until_ms; turns++)
		fixture_turn(&f, 40);
	passed_ms = clock_now_ms() - began_ms;
	for (size_t i = 0; i < RUNS; i++)
		for (int j = 0; j < CURSOR_FILES; j++)
			looks += source_of(&models[i], j) ? source_of(&models[i], j)->looks_begun : 0;
	ck_assert_msg(looks <= (uint64_t)(RUNS * CURSOR_FILES * (passed_ms / 2 + 4)),
	              "%llu looks in %lld ms", (unsigned long long)looks, (long long)passed_ms);
	ck_assert_msg(turns <= (uint64_t)(RUNS * CURSOR_FILES * 2 * (passed_ms / 2 + 4)),
	              "%llu turns in %lld ms", (unsigned long long)turns, (long long)passed_ms);
}

/* Who comes back with the id of the end is told so. */
static void
check_end(struct model *m)
{
	for (size_t i = 0; i < MOST_CLIENTS; i++) {
		struct client *c = &m->clients[i];
		char id[CURSOR_TEXT_BYTES + 1];
		struct reader *again;

		if (!c->reader || c->reader->is_nothing_more || c->is_beyond)
			continue;
		memcpy(id, c->reader->last_id, sizeof(id));
		again = reader_resume(&f, m->id, id);
		reader_wait_over(again);
		if (!again->is_nothing_more && m->files[0].is_at_path == m->files[1].is_at_path &&
		    m->files[0].is_at_path)
			explain(m, c, "the end is not the end");
		reader_free(&again);
		return;
	}
}

static void
run_sequences(uint64_t with_seed, bool inotify)
{
	seed_random(with_seed);
	fixture_set_up(&f, inotify);
	f.settings.api.sse.poll_interval_ms = 2;
	f.settings.api.sse.partial_flush_ms = 12;
	f.settings.api.sse.terminal_linger_ms = 10;
	f.settings.api.sse.max_line_bytes = MAX_LINE_BYTES;
	f.settings.following.healthy_poll_interval_ms = 30;
	f.hub->cache.most_bytes = below(2) ? 20000 : 1 << 20;
	models = calloc(RUNS, sizeof(*models));
	ck_assert_ptr_nonnull(models);
	for (size_t i = 0; i < RUNS; i++)
		new_model(&models[i], i);
	for (int i = 0; i < RUNS * STEPS; i++) {
		act(&models[below(RUNS)]);
		if (below(3) == 0)
			fixture_turn(&f, 0);
		check_all();
		if (below(RUNS * STEPS) == 0)
			wait_for_all();
	}
	wait_for_all();
	check_idle();
	for (size_t i = 0; i < RUNS; i++) {
		for (size_t j = 0; j < MOST_CLIENTS; j++)
			if (models[i].clients[j].reader && models[i].clients[j].reader->is_over)
				disconnect(&models[i], &models[i].clients[j]);
		set_status(&models[i], true);
	}
	wait_for_all();
	for (size_t i = 0; i < RUNS; i++)
		check_end(&models[i]);
	for (size_t i = 0; i < RUNS; i++)
		free_model(&models[i]);
	free(models);
	fixture_tear_down(&f);
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void
run_all(bool inotify)
{
	uint64_t first = number_from("FOLLOW_MODEL_SEED", 1), count = number_from("FOLLOW_MODEL_COUNT", 15);

	for (uint64_t i = first; i < first + count; i++) {
		/* Printed where it may be needed: a sequence that fails ends this process. */
		fprintf(stderr, "\rFOLLOW_MODEL_SEED=%llu %s\n", (unsigned long long)i,
		        inotify ? "inotify" : "polling");
		run_sequences(i, inotify);
	}
}

START_TEST(random_sequences_with_inotify)
{
	run_all(true);
}
END_TEST

START_TEST(random_sequences_by_polling)
{
	run_all(false);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("follow_model");
	TCase *tc = tcase_create("random");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, random_sequences_with_inotify);
	tcase_add_test(tc, random_sequences_by_polling);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
