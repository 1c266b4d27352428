/*
 * Clients of a stream of many runs that come back with their last id: random sequences of what writers
 * and clients do, of processes that know nothing and registries that are new, against what was
 * written. A line may come twice, but none is missed, whoever is asked.
 *
 * FEED_RESUME_SEED and FEED_RESUME_COUNT replay and prolong; a failure names its seed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "stream_fixture.h"

enum { MOST_RUNS = 12, MOST_CLIENTS = 5, MOST_LINES = 2000, STEPS = 70, HANG_MS = 10000 };

struct run {
	char id[16];
	bool is_over;
	unsigned lines[CURSOR_FILES];   /* written */
	unsigned of_file[CURSOR_FILES]; /* the first of them that is in the current file */
	unsigned archives;
};

struct client {
	bool is_there;
	struct reader *reader; /* NULL: away */
	enum feed_from from;
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

static const char *const names[CURSOR_FILES] = { "agent-stdout.txt", "agent-stderr.txt" };
static struct fixture f;
static struct run runs[MOST_RUNS];
static unsigned run_count;
static struct client clients[MOST_CLIENTS];
static unsigned resumed, repeated, received;
static uint64_t seed;

/* What is done, if a failure is replayed. */
#define TRACE(...) (getenv("FEED_RESUME_SEED") ? (void)printf(__VA_ARGS__) : (void)0)

static unsigned
below(unsigned limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % limit);
}

/* --- writers -------------------------------------------------------------------------------------------- */

static void
write_lines(struct run *run, int file, unsigned count)
{
	char path[64], line[64];

	TRACE("%s %s: %u lines more than %u\n", run->id, names[file], count, run->lines[file]);
	snprintf(path, sizeof(path), "%s/%s", run->id, names[file]);
	for (; count > 0 && run->lines[file] < MOST_LINES; count--) {
		snprintf(line, sizeof(line), "%u %.*s\n", run->lines[file]++, (int)below(40),
		         "........................................");
		fixture_append(&f, path, line);
	}
}

static void
rotate(struct run *run, int file)
{
	char path[64], archive[80];

	if (run->lines[file] == run->of_file[file])
		return;
	snprintf(path, sizeof(path), "%s/%s", run->id, names[file]);
	snprintf(archive, sizeof(archive), "%s.%u", path, ++run->archives);
	TRACE("%s rotated at %u\n", path, run->lines[file]);
	fixture_rename(&f, path, archive);
	fixture_append(&f, path, "");
	run->of_file[file] = run->lines[file];
	/* Who has nothing of it yet begins with the file that is there when it is come to. */
	for (int i = 0; i < MOST_CLIENTS; i++) {
		struct client *c = &clients[i];

		if (c->is_there && !c->has_any[run - runs][file] && c->owed_from[run - runs][file] != UINT32_MAX)
			c->owed_from[run - runs][file] = run->lines[file];
	}
}

static void
put_run(const struct run *run)
{
	TRACE("%s is %s\n", run->id, run->is_over ? "over" : "running");
	fixture_put_run(&f, run->id, run->is_over ? "completed" : "running", run->is_over ? 0 : -1);
}

static void
add_run(void)
{
	struct run *run = &runs[run_count];

	if (run_count == MOST_RUNS)
		return;
	memset(run, 0, sizeof(*run));
	snprintf(run->id, sizeof(run->id), "run-%u", run_count++);
	put_run(run);
	write_lines(run, 0, below(40));
}

/* --- clients -------------------------------------------------------------------------------------------- */

static unsigned
run_index(const struct read_event *e)
{
	for (unsigned i = 0; i < run_count; i++)
		if (strcmp(runs[i].id, event_text(e, "run_id")) == 0)
			return i;
	ck_abort_msg("no such run: %s", event_text(e, "run_id"));
	return 0;
}

static void
take_line(struct client *c, const struct read_event *e)
{
	unsigned run = run_index(e), number = (unsigned)strtoul(event_text(e, "line"), NULL, 10);
	int file = strcmp(event_text(e, "stream"), "stderr") == 0;

	ck_assert_uint_lt(number, runs[run].lines[file]);
	ck_assert(!event_flag(e, "partial"));
	/* In one connection those of a file come in order, each once. (But for a run that went on while
	 * its history was read.) */
	if (c->last[run][file] > 0 && number >= c->last[run][file])
		ck_assert_msg(number == c->last[run][file], "%s %s: %u after %u", runs[run].id, names[file],
		              number, c->last[run][file] - 1);
	if (number + 1 > c->last[run][file])
		c->last[run][file] = number + 1;
	TRACE("client %d has %s %s %u\n", (int)(c - clients), runs[run].id, names[file], number);
	received++;
	repeated += c->has[run][file][number];
	c->has[run][file][number] = true;
	c->has_any[run][file] = true;
}

static void
look(struct client *c)
{
	for (; c->reader && c->looked_at < c->reader->count; c->looked_at++) {
		const struct read_event *e = &c->reader->events[c->looked_at];

		TRACE("client %d gets %s %s %s %s\n", (int)(c - clients), e->name, event_text(e, "run_id"),
		      event_text(e, "line"), e->id);
		ck_assert_msg(strcmp(e->name, "gap") != 0, "a gap: %s", event_text(e, "reason"));
		if (strcmp(e->name, "log") == 0)
			take_line(c, e);
		if (strcmp(e->name, "status") == 0 && c->from == FEED_FROM_NOW) {
			unsigned run = run_index(e);

			/* From when it is told of the run at the latest. */
			for (int file = 0; run < c->runs && file < CURSOR_FILES; file++)
				if (c->owed_from[run][file] == UINT32_MAX)
					c->owed_from[run][file] = runs[run].lines[file];
		}
		if (*e->id)
			memcpy(c->id, e->id, sizeof(c->id));
	}
}

static void
connect_it(struct client *c, const struct feed_id *after)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH,
		                        .from = c->from, .after = after };

	c->looked_at = 0;
	memset(c->last, 0, sizeof(c->last));
	c->reader = reader_new_of_many(&f, &request);
	if (below(3) == 0)
		c->reader->blocks_left = 1 + below(6);
	TRACE("client %d comes, from %d, %s; takes %zu blocks\n", (int)(c - clients), c->from,
	      after ? c->id : "without an id", c->reader->blocks_left);
}

static void
come(struct client *c)
{
	memset(c, 0, sizeof(*c));
	c->is_there = true;
	c->from = below(2) ? FEED_FROM_NOW : FEED_FROM_START;
	c->runs = run_count;
	for (unsigned i = 0; i < run_count; i++)
		for (int file = 0; file < CURSOR_FILES; file++)
			c->owed_from[i][file] = c->from == FEED_FROM_NOW ? UINT32_MAX : runs[i].of_file[file];
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
	TRACE("client %d goes, %s\n", (int)(c - clients), c->id);
}

/* What it is owed and has not got; -1: nothing. */
static int
first_missing(const struct client *c, char *ret_words, size_t size)
{
	for (unsigned run = 0; run < run_count; run++)
		for (int file = 0; file < CURSOR_FILES; file++) {
			unsigned from = c->owed_from[run][file];

			/* A file that was rotated before anybody looked at it is not owed. */
			for (unsigned i = from; from != UINT32_MAX && i < runs[run].lines[file]; i++)
				if (!c->has[run][file][i]) {
					snprintf(ret_words, size, "%s %s line %u of %u (owed from %u; from %d, "
					         "%u runs then); id %s", runs[run].id, names[file], i,
					         runs[run].lines[file], from, c->from, c->runs, c->id);
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
restart(bool registry_too)
{
	for (int i = 0; i < MOST_CLIENTS; i++)
		if (clients[i].reader)
			go_away(&clients[i]);
	TRACE("restart%s\n", registry_too ? " of all" : "");
	fixture_restart(&f, registry_too);
	for (unsigned i = 0; registry_too && i < run_count; i++)
		put_run(&runs[(i * 5 + 3) % run_count]);
	if (registry_too && run_count % 5 == 0)
		for (unsigned i = 0; i < run_count; i++)
			put_run(&runs[i]);
}

static void
step(void)
{
	struct run *run = run_count > 0 ? &runs[below(run_count)] : NULL;
	struct client *c = &clients[below(MOST_CLIENTS)];

	switch (below(12)) {
	case 0:
		add_run();
		break;
	case 1:
		if (run && !run->is_over && below(3) == 0) {
			for (int i = 0; i < 15; i++)
				fixture_turn(&f, 2);
			rotate(run, (int)below(2));
		}
		break;
	case 2:
		if (run && !run->is_over && below(3) == 0) {
			run->is_over = true;
			put_run(run);
		}
		break;
	case 3:
	case 4:
		if (!c->is_there)
			come(c);
		else if (!c->reader)
			come_back(c);
		else
			go_away(c);
		break;
	case 5:
		if (c->reader) {
			c->reader->is_stuck = false;
			c->reader->blocks_left = below(4);
		}
		break;
	case 6:
		for (unsigned i = below(30); i > 0; i--)
			fixture_turn(&f, 2);
		break;
	case 7:
		/* Over a tick of the trail. */
		for (int64_t until_ms = clock_now_ms() + 260; below(3) == 0 && clock_now_ms() < until_ms;)
			fixture_turn(&f, 10);
		break;
	case 8:
		if (below(4) == 0)
			restart(below(2));
		break;
	default:
		if (run && !run->is_over)
			write_lines(run, (int)below(2), 1 + below(20));
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
	seed = with * 0x9e3779b97f4a7c15 + 1;
	run_count = 0;
	memset(clients, 0, sizeof(clients));
	fixture_set_up(&f, with % 3 != 0);
	for (int i = 0; i < 3; i++)
		add_run();
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
	printf("%u lines received, %u of them a second time; %u times resumed\n", received, repeated,
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
