/*
 * Streams of many runs: random sequences of what writers and clients do, against what was written.
 * Each client has, of each file, every line from where it began on, once and in order, however
 * slow it is, whenever it came.
 *
 * FEED_MODEL_SEED and FEED_MODEL_COUNT replay and prolong; a failure names its seed.
 */
#include "stream/feed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "stream_fixture.h"

enum { MOST_RUNS = 12, MOST_CLIENTS = 6, STEPS = 60, HANG_MS = 10000 };

struct run {
	char id[16];
	bool is_over;
	unsigned lines[CURSOR_FILES];   /* written */
	unsigned of_file[CURSOR_FILES]; /* the first of them that is in the current file */
	unsigned archives, endings;
	bool is_copied; /* when it is rotated: copied and emptied, instead of renamed */
};

struct client {
	struct reader *reader;
	enum feed_from from;
	/* What there was when it came: it has these lines, or those from there on. */
	unsigned runs;
	unsigned lines[MOST_RUNS][CURSOR_FILES], of_file[MOST_RUNS][CURSOR_FILES];
	/* It had ended then: should it go on, all that is written from then on is owed. */
	bool was_over[MOST_RUNS];
	/* Its status came: what is written from then on is owed. */
	bool is_told[MOST_RUNS];
	unsigned endings[MOST_RUNS];
	size_t looked_at; /* events */
};

static const char *const names[CURSOR_FILES] = { "agent-stdout.txt", "agent-stderr.txt" };
static struct fixture f;
static struct run runs[MOST_RUNS];
static unsigned run_count;
static struct client clients[MOST_CLIENTS];
static uint64_t seed;

/* What is done, if a failure is replayed. */
#define TRACE(...) (getenv("FEED_MODEL_SEED") ? (void)printf(__VA_ARGS__) : (void)0)

static unsigned
below(unsigned limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % limit);
}

static void
write_lines(struct run *run, int file, unsigned count)
{
	char path[64], line[400];

	snprintf(path, sizeof(path), "%s/%s", run->id, names[file]);
	TRACE("%s %s: %u lines more than %u\n", run->id, names[file], count, run->lines[file]);
	for (; count > 0; count--) {
		snprintf(line, sizeof(line), "%u %.*s\n", run->lines[file]++, (int)below(300),
		         "................................................................................"
		         "................................................................................"
		         "................................................................................"
		         "............................................................");
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
	if (run->is_copied)
		fixture_copy(&f, path, archive);
	else
		fixture_rename(&f, path, archive);
	run->of_file[file] = run->lines[file];
	if (run->is_copied)
		fixture_truncate(&f, path);
	else
		fixture_append(&f, path, "");
}

static void
add_run(void)
{
	struct run *run = &runs[run_count];

	if (run_count == MOST_RUNS)
		return;
	memset(run, 0, sizeof(*run));
	snprintf(run->id, sizeof(run->id), "run-%u", run_count++);
	run->is_copied = below(3) == 0;
	fixture_put_run(&f, run->id, "running", -1);
	write_lines(run, 0, below(40));
}

static void
come(struct client *c)
{
	struct feed_request request = { .kind = &stream_kind_log_of_many, .files = CHANNEL_BOTH };

	c->from = below(2) ? FEED_FROM_NOW : FEED_FROM_START;
	request.from = c->from;
	c->runs = run_count;
	c->looked_at = 0;
	memset(c->is_told, 0, sizeof(c->is_told));
	for (unsigned i = 0; i < run_count; i++) {
		c->was_over[i] = runs[i].is_over;
		c->endings[i] = runs[i].endings;
		memcpy(c->lines[i], runs[i].lines, sizeof(c->lines[i]));
		memcpy(c->of_file[i], runs[i].of_file, sizeof(c->of_file[i]));
	}
	c->reader = reader_new_of_many(&f, &request);
	if (below(2))
		c->reader->blocks_left = below(6);
	TRACE("client %d comes, from %d; takes %zu blocks\n", (int)(c - clients), c->from,
	      c->reader->blocks_left);
}

static unsigned
run_index(const struct read_event *e)
{
	for (unsigned i = 0; i < run_count; i++)
		if (strcmp(runs[i].id, event_text(e, "run_id")) == 0)
			return i;
	ck_abort_msg("no such run: %s", event_text(e, "run_id"));
	return 0;
}

/* Of a run that went on while its history was being read, what was written since its end may come
 * twice: with the history, and with what is new to those who did not ask for that. */
static bool
may_repeat(const struct client *c, unsigned run)
{
	/* (One that came after the client did may be in the history, too: that begins once the feed is on
	 * record.) */
	return c->from == FEED_FROM_START &&
	       (run < c->runs ? c->was_over[run] || runs[run].endings != c->endings[run]
	                      : runs[run].endings > 0);
}

/* Lines of a file that a client has are consecutive; returns the number of the next, or UINT_MAX. */
static unsigned
check(const struct client *c, unsigned run, int file)
{
	unsigned next = UINT32_MAX, first = UINT32_MAX;

	for (size_t i = 0; i < c->reader->count; i++) {
		const struct read_event *e = &c->reader->events[i];
		unsigned number;

		if (strcmp(e->name, "log") != 0 || strcmp(event_text(e, "stream"), cursor_file_names[file]) != 0 ||
		    run_index(e) != run)
			continue;
		ck_assert(!event_flag(e, "partial"));
		number = (unsigned)strtoul(event_text(e, "line"), NULL, 10);
		if (next == UINT32_MAX)
			first = number;
		else if (may_repeat(c, run) && number < next)
			first = number < first ? number : first; /* what came is not undone */
		else
			ck_assert_msg(number == next, "%s %s: line %u after %u; from %d, was over %d",
			              runs[run].id, cursor_file_names[file], number, next - 1, c->from,
			              run < c->runs && c->was_over[run]);
		next = next == UINT32_MAX || number >= next ? number + 1 : next;
	}
	if (first == UINT32_MAX)
		return next;
	if (run < c->runs && c->from == FEED_FROM_NOW && c->was_over[run])
		ck_assert_msg(first <= c->lines[run][file] || first <= runs[run].of_file[file],
		              "%s %s went on at %u; there were %u", runs[run].id, cursor_file_names[file], first,
		              c->lines[run][file]);
	else if (run >= c->runs)
		ck_assert_msg(first <= runs[run].of_file[file], "%s began at %u", runs[run].id, first);
	else if (c->from == FEED_FROM_START)
		/* The current file is that which is there when it comes to the run. */
		ck_assert_msg(first <= runs[run].of_file[file] ||
		                      c->of_file[run][file] == c->lines[run][file],
		              "%s %s began at %u; there were %u to %u", runs[run].id,
		              cursor_file_names[file], first, c->of_file[run][file], c->lines[run][file]);
	return next;
}

static char missing[192];

/* Whether the client has all that it is to get. */
static bool
has_all(const struct client *c)
{
	for (unsigned run = 0; run < run_count; run++) {
		for (int file = 0; file < CURSOR_FILES; file++) {
			unsigned next = check(c, run, file);
			bool is_owed = run >= c->runs || c->from == FEED_FROM_START
			                       ? runs[run].lines[file] > runs[run].of_file[file]
			                       : (c->is_told[run] || c->was_over[run]) &&
			                                 runs[run].lines[file] > c->lines[run][file] &&
			                                 /* rotated before anybody looked, else */
			                                 runs[run].lines[file] > runs[run].of_file[file];

			if (next == UINT32_MAX ? is_owed : next != runs[run].lines[file]) {
				snprintf(missing, sizeof(missing),
				         "%s %s: has up to %d of %u; from %d, %u of %u runs, told %d, there were %u",
				         runs[run].id, cursor_file_names[file], (int)next, runs[run].lines[file],
				         c->from, c->runs, run_count, c->is_told[run], c->lines[run][file]);
				return false;
			}
		}
	}
	return true;
}

static void
settle(struct client *c)
{
	int64_t until_ms = clock_now_ms() + HANG_MS;

	if (!c->reader)
		return;
	c->reader->is_stuck = false;
	c->reader->blocks_left = 0;
	while (!has_all(c)) {
		ck_assert_msg(clock_now_ms() < until_ms, "a client does not get what is there: %s", missing);
		for (int i = 0; i < 20; i++)
			fixture_turn(&f, 5);
	}
}

static void
ids_are_unique(const struct client *c)
{
	for (size_t i = 0; i < c->reader->count; i++)
		for (size_t j = i + 1; j < c->reader->count && j < i + 200; j++)
			if (strcmp(c->reader->events[i].name, "log") == 0 &&
			    strcmp(c->reader->events[j].name, "log") == 0)
				ck_assert_str_ne(c->reader->events[i].id, c->reader->events[j].id);
}

/* What a client that came for what is new was told of, it is owed from then on. */
static void
note_told(struct client *c)
{
	for (; c->reader && c->looked_at < c->reader->count; c->looked_at++) {
		const struct read_event *e = &c->reader->events[c->looked_at];
		unsigned run;

		TRACE("client %d gets %s %s %s %.6s %s\n", (int)(c - clients), e->name,
		      event_text(e, "run_id"), event_text(e, "stream"), event_text(e, "line"), e->id);
		if (strcmp(e->name, "status") != 0)
			continue;
		run = run_index(e);
		if (run < c->runs && !c->is_told[run] && !c->was_over[run])
			memcpy(c->lines[run], runs[run].lines, sizeof(c->lines[run]));
		c->is_told[run] = true;
	}
}

static void
step(void)
{
	struct run *run = run_count > 0 ? &runs[below(run_count)] : NULL;
	struct client *c = &clients[below(MOST_CLIENTS)];

	switch (below(9)) {
	case 0:
		add_run();
		break;
	case 1:
		if (run && below(3) == 0)
			rotate(run, (int)below(2));
		break;
	case 2:
		if (run && !run->is_over && below(4) == 0) {
			run->is_over = true;
			run->endings++;
			TRACE("%s is over\n", run->id);
			fixture_put_run(&f, run->id, "completed", 0);
		} else if (run && run->is_over) {
			run->is_over = false;
			TRACE("%s goes on\n", run->id);
			if (below(2)) /* at once, before discovery has seen that it goes on */
				write_lines(run, (int)below(2), 1 + below(20));
			fixture_put_run(&f, run->id, "running", -1);
		}
		break;
	case 3:
		if (!c->reader) {
			come(c);
		} else if (below(2)) {
			TRACE("client %d goes\n", (int)(c - clients));
			ids_are_unique(c);
			reader_free(&c->reader);
		}
		break;
	case 4:
		if (c->reader) {
			c->reader->is_stuck = false;
			c->reader->blocks_left = below(4);
			TRACE("client %d takes %zu blocks\n", (int)(c - clients), c->reader->blocks_left);
		}
		break;
	case 5:
		for (unsigned i = below(30); i > 0; i--)
			fixture_turn(&f, 2);
		break;
	default:
		if (run && !run->is_over)
			write_lines(run, (int)below(2), 1 + below(20));
		break;
	}
	fixture_turn(&f, 0);
	for (int i = 0; i < MOST_CLIENTS; i++)
		note_told(&clients[i]);
}

static void
play(uint64_t with)
{
	printf("FEED_MODEL_SEED=%llu\n", (unsigned long long)with);
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

START_TEST(test_every_client_has_every_line_from_where_it_began)
{
	const char *only = getenv("FEED_MODEL_SEED"), *many = getenv("FEED_MODEL_COUNT");
	uint64_t count = many ? strtoull(many, NULL, 10) : 30;

	if (only) {
		play(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= count; i++)
		play(i);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed");
	TCase *tcase = tcase_create("feed");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_every_client_has_every_line_from_where_it_began);
	tcase_set_timeout(tcase, 0);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
