/*
 * Clients of a stream of many runs that come back with their last id: random sequences of what writers
 * and clients do, of processes that know nothing and registries that are new, against what was
 * written. A line (an event, a message) may come twice, but none is missed, whoever is asked.
 *
 * FEED_RESUME_SEED and FEED_RESUME_COUNT replay and prolong; a failure names its seed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feed_world.h"

enum { MOST_CLIENTS = 5, STEPS = 70, HANG_MS = 10000 };

struct client {
	bool is_there;
	struct reader *reader; /* NULL: away */
	enum feed_from from;
	uint64_t tail_entries;
	char id[STREAM_ID_BYTES + 1];
	unsigned runs; /* there were so many when it came */
	/* It is owed what was written from this line on; UINT_MAX: not known yet. */
	unsigned owed_from[MOST_RUNS][CURSOR_FILES];
	bool has_any[MOST_RUNS][CURSOR_FILES];
	bool has[MOST_RUNS][CURSOR_FILES][MOST_LINES];
	unsigned last[MOST_RUNS][CURSOR_FILES]; /* in this connection, + 1; 0: none */
	size_t looked_at;
	unsigned repeated;
};

static struct fixture f;
static struct world w;
static struct client clients[MOST_CLIENTS];
static unsigned resumed, repeated, received;

/* Who has nothing of a file yet begins with the one that is there when its run is come to. */
static void
begin_file(const struct run *run, int file)
{
	for (int i = 0; i < MOST_CLIENTS; i++) {
		struct client *c = &clients[i];
		unsigned index = (unsigned)(run - w.runs);

		if (c->is_there && !c->has_any[index][file] && c->owed_from[index][file] != UINT32_MAX)
			c->owed_from[index][file] = run->lines[file];
	}
}

/* --- clients -------------------------------------------------------------------------------------------- */

/* Whether a client's stream is of a run. */
static bool
is_wanted(const struct run *run)
{
	return !w.has_tasks || strcmp(run->task, "t0") == 0;
}

static void
take_entry(struct client *c, unsigned run, int file, unsigned number)
{
	ck_assert_msg(is_wanted(&w.runs[run]), "%s is of another task", w.runs[run].id);
	ck_assert_uint_lt(number, w.runs[run].lines[file]);
	/* In one connection those of a file come in order, each once. (But for a run that went on while
	 * its history was read; and what a client begins with is known from the first that it gets.) */
	if (c->last[run][file] > 0 && number >= c->last[run][file] && !w.runs[run].is_deleted)
		ck_assert_msg(number == c->last[run][file], "%s %d: %u after %u", w.runs[run].id, file, number,
		              c->last[run][file] - 1);
	if (number + 1 > c->last[run][file])
		c->last[run][file] = number + 1;
	TRACE(&w, "client %d has %s %d %u\n", (int)(c - clients), w.runs[run].id, file, number);
	received++;
	repeated += c->has[run][file][number];
	c->has[run][file][number] = true;
	c->has_any[run][file] = true;
	if (c->owed_from[run][file] == UINT32_MAX)
		c->owed_from[run][file] = number;
}

static void
look_at(struct client *c, const struct read_event *e)
{
	unsigned number, run;
	int file;

	TRACE(&w, "client %d gets %s %s %s %s\n", (int)(c - clients), e->name, event_text(e, "run_id"),
	      event_text(e, "reason"), e->id);
	if (strcmp(e->name, "heartbeat") == 0)
		return;
	run = world_run_of(&w, e);
	if (strcmp(e->name, "gap") == 0)
		ck_assert_msg(w.runs[run].is_copied || w.runs[run].is_deleted, "a gap: %s",
		              event_text(e, "reason"));
	if (strcmp(e->name, "gone") == 0)
		ck_assert_msg(w.runs[run].is_deleted, "%s is said to be gone", w.runs[run].id);
	if (world_is_entry(&w, e, &file, &number))
		take_entry(c, run, file, number);
	/* From when it is told of the run at the latest. */
	if (world_is_status(&w, e) && c->from != FEED_FROM_START && run < c->runs)
		for (file = 0; file < w.files; file++)
			if (c->owed_from[run][file] == UINT32_MAX)
				c->owed_from[run][file] = w.runs[run].lines[file];
}

static void
look(struct client *c)
{
	for (; c->reader && c->looked_at < c->reader->count; c->looked_at++) {
		const struct read_event *e = &c->reader->events[c->looked_at];

		look_at(c, e);
		if (*e->id)
			memcpy(c->id, e->id, sizeof(c->id));
	}
}

static void
connect_it(struct client *c, const struct feed_id *after)
{
	static const struct stream_kind *const kinds[] = {
		[WORLD_LOGS] = &stream_kind_log_of_many, [WORLD_EVENTS] = &stream_kind_events_of_many,
		[WORLD_MESSAGES] = &stream_kind_messages_of_many,
	};
	struct feed_request request = { .kind = kinds[w.kind],
		                        .files = w.kind == WORLD_LOGS ? CHANNEL_BOTH : CHANNEL_STDOUT,
		                        .project_id = w.has_tasks ? "p" : NULL,
		                        .task_id = w.has_tasks ? "t0" : NULL,
		                        .from = c->from, .tail_entries = c->tail_entries, .after = after };

	c->looked_at = 0;
	memset(c->last, 0, sizeof(c->last));
	c->reader = reader_new_of_many(&f, &request);
	if (world_below(&w, 3) == 0)
		c->reader->blocks_left = 1 + world_below(&w, 6);
	TRACE(&w, "client %d comes, from %d, %s; takes %zu blocks\n", (int)(c - clients), c->from,
	      after ? c->id : "without an id", c->reader->blocks_left);
}

static void
come(struct client *c)
{
	memset(c, 0, sizeof(*c));
	c->is_there = true;
	/* (Nothing says when a bus is come to: its clients begin at the start.) */
	c->from = w.kind == WORLD_MESSAGES ? FEED_FROM_START
	                                   : (enum feed_from[]){ FEED_FROM_NOW, FEED_FROM_START,
		                                                 FEED_FROM_TAIL }[world_below(&w, 3)];
	c->tail_entries = c->from == FEED_FROM_TAIL ? 1 + world_below(&w, 9) : 0;
	c->runs = w.run_count;
	for (unsigned i = 0; i < w.run_count; i++)
		for (int file = 0; file < w.files; file++)
			c->owed_from[i][file] = c->from != FEED_FROM_START ? UINT32_MAX : w.runs[i].of_file[file];
	connect_it(c, NULL);
}

static void
come_back(struct client *c)
{
	struct feed_id after;

	if (!*c->id) { /* it was sent none: it comes as if for the first time */
		come(c);
		return;
	}
	ck_assert_msg(feed_id_parse(c->id, strlen(c->id), &after) == 0, "%s", c->id);
	resumed++;
	connect_it(c, &after);
}

static void
go_away(struct client *c)
{
	look(c);
	reader_free(&c->reader);
	TRACE(&w, "client %d goes, %s\n", (int)(c - clients), c->id);
}

/* What it is owed and has not got; -1: nothing. */
static int
first_missing(const struct client *c, char *ret_words, size_t size)
{
	for (unsigned run = 0; run < w.run_count; run++)
		for (int file = 0; file < w.files; file++) {
			unsigned from = c->owed_from[run][file];

			if (w.runs[run].is_deleted || !is_wanted(&w.runs[run]))
				continue;
			/* A file that was rotated before anybody looked at it is not owed. */
			for (unsigned i = from; from != UINT32_MAX && i < w.runs[run].lines[file]; i++)
				if (!c->has[run][file][i]) {
					snprintf(ret_words, size, "%s %d entry %u of %u (owed from %u; from %d, "
					         "%u runs then); id %s", w.runs[run].id, file, i,
					         w.runs[run].lines[file], from, c->from, c->runs, c->id);
					return (int)i;
				}
		}
	return -1;
}

static void
settle(struct client *c)
{
	int64_t until_ms = clock_now_ms() + HANG_MS;
	char missing[400];

	if (!c->is_there)
		return;
	if (!c->reader)
		come_back(c);
	c->reader->is_stuck = false;
	c->reader->blocks_left = 0;
	for (;;) {
		look(c);
		if (first_missing(c, missing, sizeof(missing)) < 0)
			break;
		ck_assert_msg(clock_now_ms() < until_ms, "a client misses %s", missing);
		fixture_turn(&f, 5);
	}
}

/* --- the play --------------------------------------------------------------------------------------------- */

/* Another worker; or everything anew, the registry filled in another order. */
static void
restart(bool registry_too, bool is_killed)
{
	TRACE(&w, "%s%s\n", is_killed ? "kill" : "restart", registry_too ? " of all" : "");
	if (is_killed)
		fixture_kill(&f);
	for (int i = 0; i < MOST_CLIENTS; i++)
		if (clients[i].reader)
			go_away(&clients[i]);
	fixture_restart(&f, registry_too);
	for (unsigned i = 0; registry_too && i < w.run_count; i++)
		world_put(&w, &w.runs[(i * 5 + 3) % w.run_count]);
	if (registry_too && w.run_count % 5 == 0)
		for (unsigned i = 0; i < w.run_count; i++)
			world_put(&w, &w.runs[i]);
}

/* Only where all are away: what nobody has read of a file by then would be lost, and told. */
static void
copy_and_truncate(struct run *run)
{
	int file = (int)world_below(&w, (unsigned)w.files);

	for (int i = 0; i < MOST_CLIENTS; i++)
		if (clients[i].reader)
			return;
	if (world_copy_and_truncate(&w, run, file))
		begin_file(run, file);
}

static void
rotate(struct run *run)
{
	int file = (int)world_below(&w, (unsigned)w.files);

	for (int i = 0; i < 15; i++)
		fixture_turn(&f, 2);
	if (world_rotate(&w, run, file))
		begin_file(run, file);
}

/* What it writes from then on is owed to all, told of it or not; it may end again before anybody looks. */
static void
go_on(struct run *run)
{
	unsigned index = (unsigned)(run - w.runs);
	int file = (int)world_below(&w, (unsigned)w.files);

	for (int i = 0; i < MOST_CLIENTS; i++)
		for (int k = 0; k < w.files; k++)
			if (clients[i].is_there && clients[i].owed_from[index][k] == UINT32_MAX)
				clients[i].owed_from[index][k] = run->lines[k];
	world_go_on(&w, run);
	if (world_below(&w, 2) == 0)
		fixture_turn(&f, 0);
	world_write(&w, run, file, 1 + world_below(&w, 20));
	if (world_below(&w, 2) == 0)
		world_end(&w, run);
}

static void
act_on_run(struct run *run)
{
	if (run->is_deleted)
		return;
	if (run->is_over) {
		switch (world_below(&w, 20)) {
		case 0:
			world_delete(&w, run);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
			go_on(run);
			break;
		}
		return;
	}
	switch (world_below(&w, 30)) {
	case 0:
	case 1:
		rotate(run);
		break;
	case 2:
	case 3:
		copy_and_truncate(run);
		break;
	case 4:
	case 5:
		if (w.kind != WORLD_MESSAGES)
			world_end(&w, run);
		break;
	case 6:
		world_delete(&w, run);
		break;
	default:
		world_write(&w, run, (int)world_below(&w, (unsigned)w.files), 1 + world_below(&w, 20));
		break;
	}
}

static void
act_on_client(struct client *c)
{
	if (!c->is_there)
		come(c);
	else if (!c->reader)
		come_back(c);
	else
		go_away(c);
}

static void
step(void)
{
	struct run *run = &w.runs[world_below(&w, w.run_count)];
	struct client *c = &clients[world_below(&w, MOST_CLIENTS)];

	switch (world_below(&w, 12)) {
	case 0:
		world_add(&w);
		break;
	case 1:
	case 2:
		act_on_client(c);
		break;
	case 3:
		if (c->reader) {
			c->reader->is_stuck = false;
			c->reader->blocks_left = world_below(&w, 4);
		}
		break;
	case 4:
		for (unsigned i = world_below(&w, 30); i > 0; i--)
			fixture_turn(&f, 2);
		break;
	case 5:
		/* Over a tick of the trail. */
		if (world_below(&w, 3) == 0)
			for (int64_t until_ms = clock_now_ms() + 260; clock_now_ms() < until_ms;)
				fixture_turn(&f, 10);
		break;
	case 6:
		if (world_below(&w, 3) == 0)
			restart(world_below(&w, 2), world_below(&w, 2));
		break;
	default:
		act_on_run(run);
		break;
	}
	fixture_turn(&f, 0);
	for (int i = 0; i < MOST_CLIENTS; i++)
		look(&clients[i]);
}

static void
play(uint64_t with)
{
	printf("FEED_RESUME_SEED=%llu\n", (unsigned long long)with);
	fflush(stdout);
	memset(clients, 0, sizeof(clients));
	fixture_set_up(&f, with % 3 != 0);
	world_init(&w, &f, (enum world_kind[]){ WORLD_LOGS, WORLD_EVENTS, WORLD_LOGS, WORLD_MESSAGES }[with % 4],
	           with);
	w.has_tasks = w.kind != WORLD_MESSAGES && with / 4 % 3 == 0;
	for (int i = 0; i < 3; i++)
		world_add(&w);
	for (int i = 0; i < STEPS; i++)
		step();
	for (int i = 0; i < MOST_CLIENTS; i++)
		settle(&clients[i]);
	fixture_tear_down(&f);
}

START_TEST(test_who_comes_back_to_a_stream_of_many_runs_misses_nothing)
{
	const char *only = getenv("FEED_RESUME_SEED"), *many = getenv("FEED_RESUME_COUNT");
	uint64_t count = many ? strtoull(many, NULL, 10) : 20;

	if (only) {
		play(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= count; i++)
		play(i);
	printf("%u entries received, %u of them a second time; %u times resumed\n", received, repeated,
	       resumed);
	ck_assert_uint_gt(resumed, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed_resume");
	TCase *tcase = tcase_create("feed_resume");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_who_comes_back_to_a_stream_of_many_runs_misses_nothing);
	tcase_set_timeout(tcase, 0);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
