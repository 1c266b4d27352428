#include "follow_ops.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driven.h"
#include "follow/file_generation.h"
#include "follow_whereabouts.h"
#include "stream_fixture.h"

enum {
	CLIENTS = 4,
	REMEMBERED = 24,
	MAX_LINE_BYTES = 1024,
	SETTLE_MS = 150,    /* more than all intervals together */
	MOST_TURNS = 4000,  /* of a loop that comes to rest */
};

/* Which operations there are, and how often. */
enum kind {
	APPEND, APPEND_MUCH, APPEND_LONG, APPEND_PART, APPEND_CR, APPEND_LATE,
	ROTATE, ROTATE_TWICE, TRUNCATE, COPY_TRUNCATE, REGROW, REPLACE, DELETE, DELETE_MAKE,
	EMPTY_ARCHIVE, DELETE_ARCHIVE, COMPRESS, COPY_BESIDE,
	SUBSCRIBE, LEAVE, RESUME, RESUME_BY_NUMBER, STICK, TAKE_SOME, TAKE,
	RESTART, STATUS, TURNS, PASS, SETTLE,
	KINDS,
};

static const struct {
	const char *name;
	unsigned weight;
} kinds[KINDS] = {
	[APPEND] = { "append", 16 }, [APPEND_MUCH] = { "append much", 5 },
	[APPEND_LONG] = { "append a long part", 1 }, [APPEND_PART] = { "append a part", 6 },
	[APPEND_CR] = { "append a part that ends with CR", 2 },
	[APPEND_LATE] = { "append to the renamed", 3 },
	[ROTATE] = { "rename and create", 8 }, [ROTATE_TWICE] = { "rename and create, again and again", 3 },
	[TRUNCATE] = { "truncate", 3 }, [COPY_TRUNCATE] = { "copy and truncate", 5 },
	[REGROW] = { "regrow", 3 }, [REPLACE] = { "replace", 2 }, [DELETE] = { "delete", 1 },
	[DELETE_MAKE] = { "delete and create", 2 }, [EMPTY_ARCHIVE] = { "empty an archive", 1 },
	[DELETE_ARCHIVE] = { "delete an archive", 2 }, [COMPRESS] = { "compress an archive", 2 },
	[COPY_BESIDE] = { "copy beside", 1 },
	[SUBSCRIBE] = { "subscribe", 7 }, [LEAVE] = { "leave", 2 }, [RESUME] = { "resume", 12 },
	[RESUME_BY_NUMBER] = { "resume by number", 2 },
	[STICK] = { "stick", 5 }, [TAKE_SOME] = { "take some", 3 }, [TAKE] = { "take", 3 },
	[RESTART] = { "restart", 3 }, [STATUS] = { "status", 2 }, [TURNS] = { "turns", 12 },
	[PASS] = { "pass", 8 }, [SETTLE] = { "settle", 3 },
};

struct remembered {
	char id[STREAM_ID_BYTES + 1];
	struct whereabouts at[CURSOR_FILES];
};

struct client {
	struct reader *reader; /* NULL: away, or never there */
	int hub;
	bool has_begun;  /* its first event came */
	struct whereabouts at[CURSOR_FILES];
	struct remembered ids[REMEMBERED]; /* the last ones, and behind them where it was */
	size_t id_count;
};

static struct fixture f;
static struct hub *hubs[TRUTH_HUBS];
static unsigned incarnations[TRUTH_HUBS];
static bool was_followed[TRUTH_HUBS];
static struct truth logs[CURSOR_FILES];
static struct client clients[CLIENTS];
static bool is_terminal, was_terminal, is_quiet;
static char failure[2048];
static bool is_traced;

static void __attribute__((format(printf, 1, 2)))
go_wrong(const char *format, ...)
{
	va_list arguments;

	if (*failure)
		return;
	va_start(arguments, format);
	vsnprintf(failure, sizeof(failure), format, arguments);
	va_end(arguments);
}

static void
go_wrong_for(const struct client *c, int file, const char *what, const char *text, int64_t n)
{
	const struct position *p = &c->at[file].at[0];
	const struct truth *t = &logs[file];

	if (*failure)
		return;
	go_wrong("client %zu, %s: %s: '%.60s' n %lld; at %zu+%zu (of %zu) of %zu epochs%s%s%s%s%s%s%s, may skip to %zu",
	     (size_t)(c - clients), t->name, what, text, (long long)n, p->epoch, p->offset, c->at[file].count, t->count,
	     p->has_gap ? ", gap" : "", p->is_finished ? ", finished" : "", p->is_anywhere ? ", anywhere" : "",
	     p->is_start ? ", start" : "", p->is_lost ? ", lost" : "", p->is_touched ? ", touched" : "",
	     p->is_back ? ", back" : "", p->may_skip_to);
	for (size_t e = 0; e < t->count; e++) {
		const struct epoch *at = t->epochs[e];
		size_t used = strlen(failure);

		snprintf(failure + used, sizeof(failure) - used, "\n    epoch %zu: %zu bytes, kept %zd%s%s%s%s%s",
		         e, at->length, (ssize_t)at->kept, at->is_over ? ", over" : "",
		         at->is_broken ? ", broken" : "", at->is_truncated ? ", truncated" : "",
		         at->sights[0].is_seen ? ", seen 0" : "", at->sights[1].is_seen ? ", seen 1" : "");
	}
}

/* --- who follows ------------------------------------------------------------------------------------ */

static struct source *
source_of(int hub, int file)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader && clients[i].hub == hub)
			return reader_channel(clients[i].reader)->sources[file];
	return NULL;
}

static void
note_of_hub(struct truth *t, struct epoch *e, enum truth_moment moment, size_t bytes, int hub)
{
	struct truth_sight *sight = &e->sights[hub];
	struct source *source = source_of(hub, (int)(t - logs));
	bool is_same = source && sight->incarnation == incarnations[hub];

	switch (moment) {
	case TRUTH_BEGINS:
		*sight = (struct truth_sight){ .incarnation = source ? incarnations[hub] : 0,
			                       .looks_begun = source ? source->looks_begun : 0,
			                       .is_late = source && source->looked == 0,
			                       .bytes = bytes };
		break;
	case TRUTH_MOVES:
		/* Who came when it was there need not have looked by now. */
		if (sight->is_late && !(is_same && source->looked > sight->looks_begun))
			*sight = (struct truth_sight){ 0 };
		break;
	case TRUTH_GOES:
		if (sight->is_gone)
			break; /* what goes now is its copy */
		sight->is_gone = true;
		sight->is_seen = is_same && source->looked > sight->looks_begun;
		sight->looks_begun = source ? source->looks_begun : 0;
		break;
	case TRUTH_REGROWS:
		/* Not where it was seen smaller before, or was smaller than that. */
		if (is_same && source->looked <= sight->looks_begun && bytes >= sight->bytes)
			sight->is_overgrown = true;
		break;
	}
}

static void
note(struct truth *t, struct epoch *e, enum truth_moment moment, size_t bytes)
{
	for (int h = 0; h < TRUTH_HUBS; h++)
		note_of_hub(t, e, moment, bytes, h);
}

/* A follower is another one when nobody followed in between. What is there when it begins, it sees. */
static void
count_incarnations(void)
{
	for (int h = 0; h < TRUTH_HUBS; h++) {
		bool is_followed = source_of(h, 0) != NULL, is_new = is_followed && !was_followed[h];

		was_followed[h] = is_followed;
		incarnations[h] += is_new;
		for (int i = 0; i < CURSOR_FILES && is_new; i++)
			if (logs[i].is_at_path && truth_last(&logs[i])->length > 0) {
				note_of_hub(&logs[i], truth_last(&logs[i]), TRUTH_BEGINS,
				            truth_last(&logs[i])->length, h);
				truth_last(&logs[i])->sights[h].is_late = true;
			}
	}
}

/* --- events ------------------------------------------------------------------------------------------- */

static void
remember(struct client *c, const char *id)
{
	struct remembered *r = &c->ids[c->id_count++ % REMEMBERED];

	memcpy(r->id, id, strlen(id) + 1);
	for (int i = 0; i < CURSOR_FILES; i++)
		whereabouts_copy(&r->at[i], &c->at[i]);
}

static int
file_of(const struct read_event *e)
{
	return strcmp(event_text(e, "stream"), "stderr") == 0;
}

static bool
has_all(const struct client *c, bool is_end)
{
	for (int i = 0; i < CURSOR_FILES; i++)
		if (!whereabouts_has_all(&c->at[i], &logs[i], is_end))
			return false;
	return true;
}

static void
trace(const struct client *c, const struct read_event *e)
{
	static size_t told;

	if (is_traced && (strcmp(e->name, "log") != 0 || told++ < 300))
		fprintf(stderr, "    client %zu: %s %s %s '%.40s'%s n %lld, id %s\n", (size_t)(c - clients),
		        e->name, event_text(e, "stream"), event_text(e, "reason"), event_text(e, "line"),
		        event_flag(e, "partial") ? " partial" : "", (long long)event_number(e, "n"), e->id);
}

static void
check_event(struct client *c, const struct read_event *e)
{
	int file = file_of(e);
	const char *wrong = NULL;
	struct cursor cursor;

	trace(c, e);
	if (strcmp(e->name, "log") == 0) {
		bool is_partial = event_flag(e, "partial");
		int64_t n = event_number(e, "n");

		wrong = whereabouts_take_line(&c->at[file], &logs[file], event_text(e, "line"), is_partial, n,
		                              was_terminal);
		if (cursor_parse(e->id, strlen(e->id), &cursor) < 0 ||
		    cursor.files[file].lines != (uint64_t)n - is_partial)
			wrong = "the id does not count its lines";
		if (!wrong && c->at[file].count == 1 && truth_is_intact(&logs[file], c->at[file].at[0].epoch))
			logs[file].epochs[c->at[file].at[0].epoch]->sights[c->hub].is_read = true;
	} else if (strcmp(e->name, "gap") == 0) {
		wrong = whereabouts_take_gap(&c->at[file], &logs[file]);
	} else if (strcmp(e->name, "complete") == 0 && is_quiet && !has_all(c, true)) {
		for (int i = 0; i < CURSOR_FILES; i++)
			if (!whereabouts_has_all(&c->at[i], &logs[i], true))
				go_wrong_for(c, i, "complete too early", "", 0);
	}
	if (wrong)
		go_wrong_for(c, file, wrong, event_text(e, "line"), event_number(e, "n"));
	if (*e->id)
		remember(c, e->id);
}

/* What came, against the truth as it is now; and what that says of who has yet to begin. */
static void
check_client(struct client *c)
{
	struct reader *r = c->reader;

	for (int i = 0; i < CURSOR_FILES; i++) {
		for (size_t k = 0; k < c->at[i].count && !c->has_begun; k++)
			c->at[i].at[k].may_skip_to = logs[i].count - logs[i].is_at_path;
		whereabouts_look_back(&c->at[i], &logs[i]);
	}
	for (size_t i = 0; i < r->count; i++) {
		c->has_begun = true;
		check_event(c, &r->events[i]);
		json_object_put(r->events[i].data);
	}
	r->count = 0;
}

static void
turn(void)
{
	fixture_turn(&f, 0);
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader)
			check_client(&clients[i]);
}

static bool
is_busy(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader && clients[i].reader->is_awake && !clients[i].reader->is_over &&
		    !clients[i].reader->is_stuck)
			return true;
	return driven_jobs() > 0;
}

/* Time goes by until there is nothing to do any more. */
static void
settle(void)
{
	size_t turns = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader) {
			clients[i].reader->is_stuck = false;
			clients[i].reader->blocks_left = 0;
		}
	for (int ms = 0; ms < SETTLE_MS && !*failure; ms += 3) {
		do {
			while (driven_step(0))
				;
			turn();
		} while (is_busy() && ++turns < MOST_TURNS);
		driven_pass(3);
	}
	if (turns >= MOST_TURNS)
		go_wrong("does not come to rest");
	for (size_t i = 0; i < CLIENTS && !*failure; i++) {
		struct client *c = &clients[i];

		if (!c->reader)
			continue;
		if (!c->has_begun && !c->reader->is_over)
			go_wrong("client %zu waits in vain to begin", i);
		if (is_terminal && !c->reader->is_over)
			go_wrong("client %zu waits in vain for the end", i);
		for (int file = 0; file < CURSOR_FILES; file++) {
			whereabouts_set_end(&c->at[file], &logs[file]);
			if (!c->reader->is_over && !whereabouts_has_all(&c->at[file], &logs[file], false))
				go_wrong_for(c, file, "waits in vain", "", 0);
		}
	}
}

/* --- clients -------------------------------------------------------------------------------------------- */

static void
leave(struct client *c)
{
	if (!c->reader)
		return;
	check_client(c);
	reader_free(&c->reader);
	count_incarnations();
}

static void
come(struct client *c, int hub, const struct start *start)
{
	f.hub = hubs[hub];
	c->hub = hub;
	c->has_begun = false;
	c->reader = reader_new(&f, "r", CHANNEL_BOTH, start);
	count_incarnations();
	for (int i = 0; i < CURSOR_FILES; i++)
		for (size_t k = 0; k < c->at[i].count; k++) {
			struct position *p = &c->at[i].at[k];

			memset(p->incarnations, 0, sizeof(p->incarnations));
			p->incarnations[hub] = incarnations[hub];
			p->came_at = logs[i].count - logs[i].is_at_path;
		}
}

/* The oldest epoch that this hub may take for the current one. */
static size_t
current_epoch(int hub, int file)
{
	const struct truth *t = &logs[file];
	struct source *source = source_of(hub, file);
	const struct file_generation *g = source ? file_generation_of(source->current) : NULL;

	for (size_t e = t->count; g && g->fd >= 0 && e-- > 0;)
		if (t->epochs[e]->inode == g->inode && t->epochs[e]->device == g->device) {
			while (e > 0 && t->epochs[e - 1]->inode == g->inode && t->epochs[e - 1]->is_truncated)
				e--;
			return e;
		}
	/* It may find one that is gone by now; and who follows may be kept by a look under way. */
	if (g || driven_jobs() > 0)
		return 0;
	return t->is_at_path ? t->count - 1 : t->count;
}

static void
subscribe(struct client *c, const uint32_t numbers[4])
{
	struct start start = { .kind = START_BEGINNING };
	int hub = (int)(numbers[1] % TRUTH_HUBS);

	if (numbers[2] % 4 == 0) {
		start.kind = START_END;
	} else if (numbers[2] % 4 == 1) {
		start.kind = START_TAIL;
		start.tail_lines = numbers[3] % 10;
	}
	leave(c);
	for (int i = 0; i < CURSOR_FILES; i++)
		whereabouts_set(&c->at[i], (struct position){ .epoch = current_epoch(hub, i),
		                                              .is_anywhere = start.kind != START_BEGINNING,
		                                              .is_start = start.kind == START_BEGINNING });
	come(c, hub, &start);
}

static void
resume(struct client *c, const uint32_t numbers[4])
{
	size_t known = c->id_count < REMEMBERED ? c->id_count : REMEMBERED;
	int hub = (int)(numbers[1] % TRUTH_HUBS);
	struct start start = { .kind = START_CURSOR };
	const struct remembered *r;

	if (known == 0)
		return;
	if (c->reader)
		check_client(c);
	r = &c->ids[(c->id_count - 1 - (numbers[2] % 2 ? 0 : numbers[3] % known)) % REMEMBERED];
	ck_assert_int_eq(cursor_parse(r->id, strlen(r->id), &start.cursor), 0);
	for (int i = 0; i < CURSOR_FILES; i++) {
		whereabouts_copy(&c->at[i], &r->at[i]);
		for (size_t k = 0; k < c->at[i].count; k++) {
			struct position *p = &c->at[i].at[k];

			p->is_back = p->is_led = true;
			p->is_doubtful = false;
			/* Who has followed meanwhile may know of another way on. */
			p->away_to = driven_jobs() == 0 && !source_of(hub, i) ? logs[i].count - logs[i].is_at_path : 0;
			/* Its id names a place behind the gap, which may be gone as well. */
			p->is_lost |= p->has_gap;
		}
		/* There was no file: whatever is there is taken from its start. */
		if (!start.cursor.files[i].has_mark)
			whereabouts_set(&c->at[i], (struct position){ .is_start = true });
	}
	leave(c);
	come(c, hub, &start);
}

/* By lines of the current files, which the client knows from elsewhere. */
static void
resume_by_number(struct client *c, const uint32_t numbers[4])
{
	int hub = (int)(numbers[1] % TRUTH_HUBS);
	struct start start = { .kind = START_CURSOR };
	struct position at[CURSOR_FILES];

	settle();
	for (int i = 0; i < CURSOR_FILES; i++) {
		const struct truth *t = &logs[i];
		const struct epoch *e = truth_last(t);
		size_t lines = 0;

		at[i] = (struct position){ .epoch = current_epoch(hub, i), .is_start = true };
		if (!t->is_at_path)
			continue;
		if (at[i].epoch != t->count - 1)
			return;
		if (e->length == 0)
			continue;
		for (size_t b = 0; b < e->length; b++)
			lines += e->bytes[b] == '\n';
		start.cursor.files[i].lines = numbers[2] % (lines + 1);
		at[i] = (struct position){ .epoch = t->count - 1 };
		for (lines = 0; lines < start.cursor.files[i].lines; at[i].offset++)
			lines += e->bytes[at[i].offset] == '\n';
		at[i].is_touched = at[i].offset > 0;
	}
	leave(c);
	for (int i = 0; i < CURSOR_FILES; i++)
		whereabouts_set(&c->at[i], at[i]);
	come(c, hub, &start);
	settle();
}

/* Another process in the place of one: all in it are away. */
static void
restart(int hub)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader && clients[i].hub == hub)
			leave(&clients[i]);
	while (driven_step(0))
		;
	fixture_turn(&f, 0);
	hub_free(&hubs[hub]);
	ck_assert_int_eq(hub_new(f.loop, f.offload, &f.settings, f.registry, f.buses, f.runs_dir_fd,
	                         &hubs[hub]), 0);
}

static void
act_on_client(const struct op *op)
{
	struct client *c = &clients[op->numbers[0] % CLIENTS];

	switch (op->kind) {
	case SUBSCRIBE:
		subscribe(c, op->numbers);
		break;
	case LEAVE:
		leave(c);
		break;
	case RESUME:
		resume(c, op->numbers);
		break;
	case RESUME_BY_NUMBER:
		resume_by_number(c, op->numbers);
		break;
	default:
		if (!c->reader)
			break;
		c->reader->is_stuck = op->kind == STICK;
		c->reader->blocks_left = op->kind == TAKE_SOME ? 1 + op->numbers[1] % 3 : 0;
		break;
	}
}

/* --- files ------------------------------------------------------------------------------------------------ */

static void
act_on_file(const struct op *op)
{
	struct truth *t = &logs[op->numbers[0] % 4 == 0];
	const uint32_t *n = op->numbers;

	is_quiet = false;
	switch (op->kind) {
	case APPEND:
		truth_append(t, 1 + n[1] % 4, n[2] % 80, 0, false);
		break;
	case APPEND_MUCH:
		truth_append(t, n[1] % 60, n[2] % 500, n[3] % 3 ? 0 : n[3] % 500, false);
		break;
	case APPEND_LONG:
		truth_append(t, 0, 0, 1 + n[1] % 8000, false);
		break;
	case APPEND_PART:
	case APPEND_CR:
		truth_append(t, 0, 0, 1 + n[1] % 30, op->kind == APPEND_CR);
		break;
	case APPEND_LATE:
		truth_append_late(t, 1 + n[1] % 3);
		break;
	case ROTATE:
		truth_rotate(t, n[1] % 4 != 0, n[2] % 2 ? 1 + n[2] % 3 : 0);
		if (n[1] % 4 > 1)
			truth_append(t, n[3] % 4, 60, n[3] % 5 ? 0 : 7, false);
		break;
	case ROTATE_TWICE:
		for (uint32_t i = 0; i < 2 + n[1] % 3; i++) {
			truth_rotate(t, true, (n[2] >> i) % 2);
			truth_append(t, (n[3] >> i) % 3, 30, (n[2] >> i) % 5 ? 0 : 7, false);
		}
		break;
	case TRUNCATE:
		truth_truncate(t, false, 0);
		break;
	case COPY_TRUNCATE:
		truth_truncate(t, true, n[1] % 3 ? 0 : 1 + n[1] % 2);
		if (n[2] % 3 == 0)
			truth_append(t, n[3] % 4, 40, 0, false);
		break;
	case REGROW:
		truth_regrow(t, n[1] % 2);
		break;
	case REPLACE:
		truth_replace(t, n[1] % 5);
		break;
	case DELETE:
		truth_delete(t);
		break;
	case DELETE_MAKE:
		truth_delete(t);
		truth_append(t, n[1] % 4, 40, 0, false);
		break;
	case EMPTY_ARCHIVE:
		truth_empty_archive(t, n[1]);
		break;
	case DELETE_ARCHIVE:
		truth_delete_archive(t, n[1]);
		break;
	case COMPRESS:
		truth_compress_archive(t, n[1]);
		break;
	default:
		truth_copy_beside(t);
		break;
	}
}

static void
set_status(bool terminal)
{
	is_terminal = terminal;
	was_terminal |= terminal;
	is_quiet = terminal;
	for (int h = 0; h < TRUTH_HUBS; h++) {
		f.hub = hubs[h];
		fixture_put_run(&f, "r", terminal ? "completed" : "running", terminal ? 0 : -1);
	}
}

/* --- sequences ------------------------------------------------------------------------------------------- */

static void
act(const struct op *op)
{
	if (op->kind < SUBSCRIBE) {
		act_on_file(op);
		return;
	}
	switch (op->kind) {
	case RESTART:
		restart((int)(op->numbers[0] % TRUTH_HUBS));
		break;
	case STATUS:
		set_status(!is_terminal);
		break;
	case TURNS:
		for (uint32_t i = 0; i < 1 + op->numbers[0] % 8 && !*failure; i++) {
			driven_step(op->numbers[1] >> i);
			turn();
		}
		break;
	case PASS:
		driven_pass(1 + op->numbers[0] % (op->numbers[1] % 4 ? 4 : 60));
		turn();
		break;
	case SETTLE:
		settle();
		break;
	default:
		act_on_client(op);
		break;
	}
}

static void
set_up(const struct ops *ops)
{
	static const char *const names[CURSOR_FILES] = { "agent-stdout.txt", "agent-stderr.txt" };
	/* Where no inode number is used again, whatever else goes on in the machine. */
	static const char in_memory[] = "/dev/shm";

	memset(logs, 0, sizeof(logs));
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i].reader = NULL;
		clients[i].id_count = 0;
	}
	memset(was_followed, 0, sizeof(was_followed));
	*failure = '\0';
	fixture_set_up_in(&f, ops->has_inotify, access(in_memory, W_OK) == 0 ? in_memory : "/tmp");
	f.settings.api.sse.poll_interval_ms = 2;
	f.settings.api.sse.partial_flush_ms = 12;
	f.settings.api.sse.terminal_linger_ms = 10;
	f.settings.api.sse.max_line_bytes = MAX_LINE_BYTES;
	f.settings.following.healthy_poll_interval_ms = 30;
	hubs[0] = f.hub;
	for (int h = 1; h < TRUTH_HUBS; h++)
		ck_assert_int_eq(hub_new(f.loop, f.offload, &f.settings, f.registry, f.buses,
		                         f.runs_dir_fd, &hubs[h]), 0);
	for (int h = 0; h < TRUTH_HUBS; h++)
		hubs[h]->cache.most_bytes = ops->has_small_cache ? 20000 : 1 << 20;
	for (int i = 0; i < CURSOR_FILES; i++) {
		logs[i] = (struct truth){ .name = names[i], .is_dated = ops->is_dated,
			                  .begins_alike = ops->begins_alike, .note = note,
			                  .runs_dir_fd = f.runs_dir_fd };
		snprintf(logs[i].directory, sizeof(logs[i].directory), "r");
	}
	set_status(false);
	was_terminal = false;
}

/* Whether there is no doubt that nothing more is to come to it. */
static bool
is_in_last(const struct client *c, int file)
{
	const struct truth *t = &logs[file];
	const struct whereabouts *w = &c->at[file];

	/* While there is nothing in the last one, ids name the end of what was before it, behind which
	 * another process may find more. */
	for (size_t i = 0; i < w->count; i++)
		if (!t->is_at_path || w->at[i].epoch != t->count - 1 || w->at[i].offset != truth_last(t)->length ||
		    (w->at[i].offset == 0 && t->count > 1) || w->at[i].has_gap)
			return false;
	return !c->reader->is_nothing_more;
}

/* The run ends: all complete, and who comes back with the id of the end is told so. */
static void
end_run(void)
{
	char id[STREAM_ID_BYTES + 1];
	struct reader *again;

	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].reader && clients[i].reader->is_over)
			leave(&clients[i]);
	set_status(true);
	settle();
	for (size_t i = 0; i < CLIENTS && !*failure; i++) {
		struct client *c = &clients[i];

		if (!c->reader)
			continue;
		memcpy(id, c->reader->last_id, sizeof(id));
		f.hub = hubs[!c->hub];
		again = reader_resume(&f, "r", id);
		for (int ms = 0; ms < SETTLE_MS && !again->is_over; ms += 3) {
			do {
				while (driven_step(0))
					;
				fixture_turn(&f, 0);
			} while (is_busy() || (again->is_awake && !again->is_over));
			driven_pass(3);
		}
		if (!again->is_over)
			go_wrong("who comes back to the end waits in vain");
		else if (!again->is_nothing_more && is_in_last(c, 0) && is_in_last(c, 1))
			go_wrong("the end is not the end: %s", id);
		reader_free(&again);
	}
}

static void print_op(const struct op *op, FILE *to);

const char *
ops_run(const struct ops *ops, bool with_trace)
{
	is_traced = with_trace;
	set_up(ops);
	for (size_t i = 0; i < ops->count && !*failure; i++) {
		if (is_traced)
			print_op(&ops->list[i], stderr);
		act(&ops->list[i]);
		if (!*failure && ops->list[i].numbers[3] % 3 == 0)
			turn();
	}
	if (!*failure)
		settle();
	if (!*failure)
		end_run();
	for (size_t i = 0; i < CLIENTS && !*failure; i++)
		leave(&clients[i]);
	if (*failure)
		return failure; /* of this process there is nothing more to be had */
	for (int i = 0; i < CURSOR_FILES; i++)
		truth_fini(&logs[i]);
	while (driven_step(0))
		;
	for (int h = 1; h < TRUTH_HUBS; h++)
		hub_free(&hubs[h]);
	f.hub = hubs[0];
	fixture_tear_down(&f);
	return NULL;
}

/* --- made, and told ---------------------------------------------------------------------------------------- */

void
ops_make(struct ops *ops, uint64_t seed, bool has_inotify)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15;
	unsigned all = 0;

	memset(ops, 0, sizeof(*ops));
	for (int k = 0; k < KINDS; k++)
		all += kinds[k].weight;
#define NEXT (state ^= state << 13, state ^= state >> 7, state ^= state << 17, (uint32_t)(state >> 20))
	ops->has_inotify = has_inotify;
	ops->is_dated = NEXT % 2;
	ops->has_small_cache = NEXT % 2;
	ops->begins_alike = seed % 4 == 0;
	ops->count = 8 + NEXT % (OPS_MOST - 8);
	for (size_t i = 0; i < ops->count; i++) {
		unsigned what = NEXT % all;

		while (what >= kinds[ops->list[i].kind].weight)
			what -= kinds[ops->list[i].kind++].weight;
		for (int n = 0; n < 4; n++)
			ops->list[i].numbers[n] = NEXT;
	}
#undef NEXT
}

static void
print_op(const struct op *op, FILE *to)
{
	const uint32_t *n = op->numbers;
	const char *turned = n[3] % 3 ? "" : ", turn";

	if (op->kind < SUBSCRIBE)
		fprintf(to, "  %s: %s (%u %u %u)%s\n", n[0] % 4 ? "stdout" : "stderr", kinds[op->kind].name,
		        n[1] % 60, n[2] % 60, n[3] % 60, turned);
	else if (op->kind < RESTART)
		fprintf(to, "  client %u in process %u: %s (%u %u)%s\n", n[0] % CLIENTS, n[1] % TRUTH_HUBS,
		        kinds[op->kind].name, n[2] % 4, n[3] % 24, turned);
	else
		fprintf(to, "  %s (%u %u)%s\n", kinds[op->kind].name, n[0] % 8, n[1] % 60, turned);
}

void
ops_print(const struct ops *ops, FILE *to)
{
	fprintf(to, "%s, archives with %s%s%s\n", ops->has_inotify ? "inotify" : "polling",
	        ops->is_dated ? "dates" : "numbers", ops->begins_alike ? ", lines that begin alike" : "",
	        ops->has_small_cache ? ", small cache" : "");
	for (size_t i = 0; i < ops->count; i++)
		print_op(&ops->list[i], to);
}
