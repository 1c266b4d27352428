#include "model/run_state.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/digest.h"
#include "model/event_line.h"
#include "model/json_scan.h"
#include "model/json_text.h"

enum { WORD_BYTES = 31, TIME_BYTES = 63, ERROR_BYTES = 4096 };

/* What is last known of a unit. In the table of names: this + 1, as 0 is a free place. */
enum unit_state { UNIT_NONE, UNIT_RUNNING, UNIT_COMPLETED, UNIT_FAILED, UNIT_BLOCKED, UNIT_SKIPPED,
	          UNIT_STATES };

/* Numbers that an event of the run may give. Those of units hold until units change again: then
 * what changed is added to them. */
enum number { TOTAL_UNITS, PARALLELISM, EXIT_CODE, COMPLETED_UNITS, FAILED_UNITS, BLOCKED_UNITS,
	      NUMBERS };

static const char *const number_names[NUMBERS] = {
	[TOTAL_UNITS] = "total_units", [PARALLELISM] = "parallelism", [EXIT_CODE] = "exit_code",
	[COMPLETED_UNITS] = "completed_units", [FAILED_UNITS] = "failed_units",
	[BLOCKED_UNITS] = "blocked_units",
};

struct run_state {
	uint64_t seq, malformed, changes;
	struct digest_table units;
	int64_t counts[UNIT_STATES];      /* of units, or of events that name none */
	int64_t nameless_running;         /* of counts[UNIT_RUNNING] */
	int64_t corrections[UNIT_STATES]; /* by which what was said differs from what was counted */
	bool has_number[NUMBERS];
	int64_t numbers[NUMBERS];         /* but those of units */
	bool has_ended;
	char status[WORD_BYTES + 1];      /* "": nothing was said */
	char started[TIME_BYTES + 1], ended[TIME_BYTES + 1], updated[TIME_BYTES + 1];
	char error[ERROR_BYTES + 1];
};

struct run_state *
run_state_new(void)
{
	return calloc(1, sizeof(struct run_state));
}

void
run_state_free(struct run_state **state)
{
	if (!*state)
		return;
	digest_table_fini(&(*state)->units);
	free(*state);
	*state = NULL;
}

uint64_t
run_state_seq(const struct run_state *state)
{
	return state->seq;
}

uint64_t
run_state_malformed(const struct run_state *state)
{
	return state->malformed;
}

uint64_t
run_state_changes(const struct run_state *state)
{
	return state->changes;
}

const char *
run_state_status(const struct run_state *state)
{
	return *state->status ? state->status : NULL;
}

/* --- taking in ----------------------------------------------------------------------------------- */

/* The members of an event that mean something here; of one that stands there twice, the last, as
 * JavaScript takes it. */
struct event {
	struct json_value type, time, unit, status, error;
	struct json_value numbers[NUMBERS]; /* text NULL: not there */
};

/* Most names are none of these, and are told apart by their first letter. */
static struct json_value *
member_of(struct event *event, const struct json_member *member)
{
	static const char letters[] = "tuseprcfb\\"; /* or an escape, which hides it */

	if (member->name_length == 0 || !strchr(letters, member->name[0]))
		return NULL;
	if (json_member_is(member, "type"))
		return &event->type;
	if (json_member_is(member, "time"))
		return &event->time;
	if (json_member_is(member, "unit"))
		return &event->unit;
	if (json_member_is(member, "status"))
		return &event->status;
	if (json_member_is(member, "error"))
		return &event->error;
	for (unsigned i = 0; i < NUMBERS; i++)
		if (json_member_is(member, number_names[i]))
			return &event->numbers[i];
	return NULL;
}

static int
read_event(const char *line, size_t length, struct event *event)
{
	struct json_member member;
	struct json_walk walk;
	int r;

	if (length > EVENT_LINE_BYTES)
		return -EBADMSG;
	r = json_walk_object(line, length, &walk);
	while (r >= 0 && (r = json_walk_member(&walk, &member)) > 0) {
		struct json_value *value = member_of(event, &member);

		if (value)
			*value = member.value;
	}
	return r;
}

/* The string that a member is, cut where it is too long; "" if there is none. */
static void
take_text(const struct json_value *value, char *to, size_t most)
{
	size_t length;

	to[0] = '\0';
	if (value->text && json_value_text(value, to, most, &length) == 0 && !memchr(to, '\0', length))
		to[length] = '\0';
	else
		to[0] = '\0';
}

/* What ends without a name is one of those that began without one. */
static void
count_nameless(struct run_state *state, enum unit_state new)
{
	if (new == UNIT_RUNNING) {
		state->nameless_running++;
	} else if (state->nameless_running > 0) {
		state->nameless_running--;
		state->counts[UNIT_RUNNING]--;
	}
}

static int
set_unit(struct run_state *state, const struct json_value *unit, enum unit_state new)
{
	struct digest name;
	uint8_t old;
	int r = -ENOSPC;

	if (unit->text && unit->type == JSON_SCAN_STRING && unit->length > 2) {
		char text[512];
		size_t length;

		/* As it is written, where it is written at length: who writes so does it again. */
		if (json_value_text(unit, text, sizeof(text), &length) == 0)
			name = digest_of(text, length);
		else
			name = digest_of(unit->text, unit->length);
		old = digest_table_get(&state->units, &name);
		r = digest_table_set(&state->units, &name, (uint8_t)(new + 1), RUN_STATE_UNITS);
		if (r == -ENOMEM)
			return r;
		if (r == 0 && old > 0)
			state->counts[old - 1]--;
	}
	if (r < 0)
		count_nameless(state, new);
	state->counts[new]++;
	return 0;
}

static void
take_numbers(struct run_state *state, const struct event *event)
{
	static const enum unit_state units_of[NUMBERS] = {
		[COMPLETED_UNITS] = UNIT_COMPLETED,
		[FAILED_UNITS] = UNIT_FAILED,
		[BLOCKED_UNITS] = UNIT_BLOCKED,
	};

	for (unsigned i = 0; i < NUMBERS; i++) {
		enum unit_state unit = units_of[i];
		int64_t number;

		if (!event->numbers[i].text || json_value_i64(&event->numbers[i], &number) < 0 ||
		    number > INT64_MAX / 2 || (number < 0 && i != EXIT_CODE))
			continue; /* nobody has so many, and they can be added up */
		if (unit != UNIT_NONE) {
			state->corrections[unit] = number - state->counts[unit];
		} else {
			state->has_number[i] = true;
			state->numbers[i] = number;
		}
	}
}

static void
begin_run(struct run_state *state, const char *started)
{
	snprintf(state->status, sizeof(state->status), "running");
	state->has_ended = false;
	state->has_number[EXIT_CODE] = false;
	state->error[0] = state->ended[0] = '\0';
	if (started)
		memcpy(state->started, started, strlen(started) + 1);
}

static void
end_run(struct run_state *state, const char *status, const char *time)
{
	snprintf(state->status, sizeof(state->status), "%s", status);
	state->has_ended = true;
	memcpy(state->ended, time, strlen(time) + 1);
}

/* Whether a word says that a run has ended; if so, in the one spelling. */
static const char *
ending(const char *word, size_t length)
{
	static const struct {
		const char *word, *status;
	} words[] = {
		{ "completed", "completed" }, { "failed", "failed" }, { "cancelled", "cancelled" },
		{ "canceled", "cancelled" },  { "crashed", "crashed" }, { "stopped", "stopped" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == length && memcmp(words[i].word, word, length) == 0)
			return words[i].status;
	return NULL;
}

static void
take_run_event(struct run_state *state, const struct event *event, const char *what, const char *time)
{
	const char *status = ending(what, strlen(what));
	char said[WORD_BYTES + 1];

	if (strcmp(what, "started") == 0)
		begin_run(state, time);
	if (strcmp(what, "resumed") == 0)
		begin_run(state, NULL);
	if (status) {
		/* run.completed says that it is over; its status, how. */
		take_text(&event->status, said, WORD_BYTES);
		if (ending(said, strlen(said)) && strcmp(what, "completed") == 0)
			status = ending(said, strlen(said));
		end_run(state, status, time);
	}
	take_numbers(state, event);
	if (event->error.text)
		take_text(&event->error, state->error, ERROR_BYTES);
}

/* Returns UNIT_STATES for what says nothing of the unit's state. */
static enum unit_state
unit_state_of(const char *what)
{
	static const struct {
		const char *word;
		enum unit_state state;
	} words[] = {
		{ "started", UNIT_RUNNING },     { "retried", UNIT_RUNNING },   { "completed", UNIT_COMPLETED },
		{ "failed", UNIT_FAILED },       { "blocked", UNIT_BLOCKED },   { "unblocked", UNIT_NONE },
		{ "queued", UNIT_NONE },         { "skipped", UNIT_SKIPPED },   { "cancelled", UNIT_SKIPPED },
		{ "canceled", UNIT_SKIPPED },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, what) == 0)
			return words[i].state;
	return UNIT_STATES;
}

int
run_state_add(struct run_state *state, const char *line, size_t length)
{
	struct event event = { 0 };
	char type[WORD_BYTES + 1], time[TIME_BYTES + 1];
	int r = read_event(line, length, &event);

	if (r < 0) {
		state->seq++;
		state->malformed++;
		return r;
	}
	take_text(&event.type, type, WORD_BYTES);
	if (strncmp(type, "unit.", 5) == 0) {
		enum unit_state unit_state = unit_state_of(type + 5);

		if (unit_state != UNIT_STATES)
			r = set_unit(state, &event.unit, unit_state);
		if (r < 0)
			return r;
		state->changes += unit_state != UNIT_STATES;
	}
	take_text(&event.time, time, TIME_BYTES);
	if (*time)
		memcpy(state->updated, time, sizeof(time));
	if (strncmp(type, "run.", 4) == 0) {
		take_run_event(state, &event, type + 4, time);
		state->changes++;
	}
	state->seq++;
	return 0;
}

/* --- telling ------------------------------------------------------------------------------------- */

static void
put_name(struct buf *to, const char *name)
{
	buf_puts(to, ",\"");
	buf_puts(to, name);
	buf_puts(to, "\":");
}

static void
put_text(struct buf *to, const char *name, const char *text)
{
	if (!*text)
		return;
	put_name(to, name);
	json_put_string(to, text, strlen(text));
}

static void
put_number(struct buf *to, const char *name, int64_t number)
{
	put_name(to, name);
	buf_printf(to, "%jd", (intmax_t)number);
}

static int64_t
count_of(const struct run_state *state, enum unit_state unit)
{
	int64_t count = state->counts[unit] + state->corrections[unit];

	return count > 0 ? count : 0;
}

static void
put_known_number(struct buf *to, const struct run_state *state, enum number number)
{
	if (state->has_number[number])
		put_number(to, number_names[number], state->numbers[number]);
}

void
run_state_put(struct buf *to, const struct run_state *state, const char *run_id, const char *status)
{
	if (!status)
		status = *state->status ? state->status : "unknown";
	buf_puts(to, "{\"id\":");
	json_put_string(to, run_id, strlen(run_id));
	put_text(to, "status", status);
	put_number(to, "seq", (int64_t)state->seq);
	put_known_number(to, state, TOTAL_UNITS);
	put_number(to, "completed_units", count_of(state, UNIT_COMPLETED));
	put_number(to, "failed_units", count_of(state, UNIT_FAILED));
	put_number(to, "blocked_units", count_of(state, UNIT_BLOCKED));
	/* Where the run has ended nothing runs, whatever was last said of it. */
	put_number(to, "running_units", state->has_ended ? 0 : count_of(state, UNIT_RUNNING));
	if (count_of(state, UNIT_SKIPPED) > 0)
		put_number(to, "skipped_units", count_of(state, UNIT_SKIPPED));
	put_known_number(to, state, PARALLELISM);
	put_known_number(to, state, EXIT_CODE);
	put_text(to, "error", state->error);
	put_text(to, "started", state->started);
	put_text(to, "ended", state->ended);
	put_text(to, "updated", state->updated);
	buf_putc(to, '}');
}

void
run_state_put_event(struct buf *to, const struct event_id *id, const struct run_state *state,
                    const char *run_id, const char *status)
{
	if (id) {
		buf_puts(to, "id: ");
		buf_append(to, id->text, id->length);
		buf_putc(to, '\n');
	}
	buf_puts(to, "event: state\ndata: ");
	run_state_put(to, state, run_id, status);
	buf_puts(to, "\n\n");
}
