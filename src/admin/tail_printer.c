#include "admin/tail_printer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "admin/command.h"
#include "admin/printable.h"

enum { SEEN_MOST = 1 << 16 }; /* of what was printed last; a power of 2 */

int
tail_printer_init(struct tail_printer *p)
{
	*p = (struct tail_printer){ .tokener = json_tokener_new() };
	return p->tokener ? 0 : -ENOMEM;
}

void
tail_printer_fini(struct tail_printer *p)
{
	if (p->tokener)
		json_tokener_free(p->tokener);
	p->tokener = NULL;
	free(p->seen);
	p->seen = NULL;
	buf_fini(&p->line);
}

int
tail_printer_expect_repeats(struct tail_printer *p)
{
	p->seen = calloc(SEEN_MOST, sizeof(*p->seen));
	return p->seen ? 0 : -ENOMEM;
}

int
tail_printer_flush(struct tail_printer *p)
{
	(void)p;
	return fflush(stdout) != 0 ? -errno : 0;
}

/* --- what is in an event ---------------------------------------------------------------------- */

/* NULL for what is no object. The caller puts it. */
static struct json_object *
parse(struct tail_printer *p, const struct sse_event *event)
{
	struct json_object *data;

	json_tokener_reset(p->tokener);
	data = json_tokener_parse_ex(p->tokener, event->data, (int)event->data_length + 1);
	if (json_object_is_type(data, json_type_object))
		return data;
	json_object_put(data);
	return NULL;
}

/* "" for what is not there. */
static const char *
text_of(struct json_object *data, const char *key, size_t *ret_length)
{
	struct json_object *value;
	bool is_there = json_object_object_get_ex(data, key, &value) &&
	                json_object_is_type(value, json_type_string);

	if (ret_length)
		*ret_length = is_there ? (size_t)json_object_get_string_len(value) : 0;
	return is_there ? json_object_get_string(value) : "";
}

static int64_t
number_of(struct json_object *data, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(data, key, &value) ? json_object_get_int64(value) : 0;
}

/* --- lines --------------------------------------------------------------------------------------- */

static void
put_opening(struct tail_printer *p, struct json_object *data)
{
	const char *run_id = text_of(data, "run_id", NULL), *time = text_of(data, "timestamp", NULL);

	if (!*time)
		time = text_of(data, "time", NULL);
	if (p->has_timestamps)
		buf_printf(&p->line, "%s ", *time ? time : "-");
	if (p->has_prefix && *run_id)
		buf_printf(&p->line, "[%s] ", run_id);
}

static int
write_line(struct tail_printer *p, FILE *to)
{
	int error = buf_error(&p->line);

	if (!error && fwrite(p->line.data, 1, p->line.length_bytes, to) < p->line.length_bytes)
		error = to == stdout ? (errno ? -errno : -EIO) : 0; /* who closed stderr wants none of it */
	return error;
}

/*
 * Content goes where the command wrote it, as it was written. A line comes in fragments if it is
 * long or slow; between those of one run, one of another run may come.
 */
static int
print_content(struct tail_printer *p, struct json_object *data, int to, const char *text,
              size_t length, bool is_fragment)
{
	const char *run_id = text_of(data, "run_id", NULL);
	bool goes_on = p->is_open[to] && strcmp(run_id, p->open_run[to]) == 0;

	buf_clear(&p->line);
	if (p->is_open[to] && !goes_on)
		buf_putc(&p->line, '\n');
	if (!goes_on)
		put_opening(p, data);
	buf_append(&p->line, text, length);
	if (!is_fragment)
		buf_putc(&p->line, '\n');
	p->is_open[to] = is_fragment;
	if (!goes_on)
		snprintf(p->open_run[to], sizeof(p->open_run[to]), "%s", run_id);
	return write_line(p, to ? stderr : stdout);
}

/* Whether it was printed before. One that is forgotten is printed twice, none too few. */
static bool
is_seen(struct tail_printer *p, uint64_t key)
{
	uint64_t *slot = p->seen ? &p->seen[key % SEEN_MOST] : NULL;

	if (!slot || *slot == key)
		return slot != NULL;
	*slot = key;
	return false;
}

/* A line of many runs is known by its run, its stream and its position. */
static bool
is_line_seen(struct tail_printer *p, struct json_object *data)
{
	char name[512];
	int length = snprintf(name, sizeof(name), "%s\n%s\n%s", text_of(data, "run_id", NULL),
	                      text_of(data, "stream", NULL), text_of(data, "pos", NULL));

	return length < (int)sizeof(name) && is_seen(p, XXH3_64bits(name, (size_t)length));
}

static int
print_log(struct tail_printer *p, struct json_object *data)
{
	size_t length;
	const char *line = text_of(data, "line", &length);
	bool is_part = json_object_object_get_ex(data, "partial", NULL);
	int to = strcmp(text_of(data, "stream", NULL), "stderr") == 0;

	if (!is_part && p->seen && is_line_seen(p, data))
		return 0;
	p->is_of_many[to] = p->seen != NULL;
	return print_content(p, data, to, line, length, is_part);
}

void
tail_printer_come_back(struct tail_printer *p)
{
	for (int to = 0; to < 2; to++)
		if (p->is_open[to] && p->is_of_many[to])
			p->open_run[to][0] = '\0'; /* what comes next is printed on a line of its own */
}

/* As old entries of message buses have it: "TYPE: body". */
static int
print_message(struct tail_printer *p, struct json_object *data)
{
	size_t length;
	const char *body = text_of(data, "body", &length), *type = text_of(data, "type", NULL);

	buf_clear(&p->line);
	put_opening(p, data);
	if (*type)
		buf_printf(&p->line, "%s: ", type);
	buf_append(&p->line, body, length);
	if (length == 0 || body[length - 1] != '\n')
		buf_putc(&p->line, '\n');
	return write_line(p, stdout);
}

static int
print_recorded(struct tail_printer *p, struct json_object *data, const struct sse_event *event)
{
	return print_content(p, data, 0, event->data, event->data_length, false);
}

/* One line an event, whatever is in it. */
static int
print_json(struct tail_printer *p, const struct sse_event *event, struct json_object *data)
{
	struct json_object *name = json_object_new_string_len(event->name, (int)event->name_length);
	struct json_object *id = json_object_new_string_len(event->id, (int)event->id_length);
	struct json_object *text = NULL;
	const char *body = event->data;
	size_t length = event->data_length;

	/* Data that is an object on a line is passed on as it stands, numbers and all. */
	if (!event->is_named || !data || memchr(body, '\n', length)) {
		text = event->is_named && data
		               ? json_object_get(data)
		               : json_object_new_string_len(event->data, (int)event->data_length);
		body = json_object_to_json_string_length(
			text, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	}
	buf_clear(&p->line);
	buf_printf(&p->line, "{\"event\":%s,",
	           json_object_to_json_string_ext(name, JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_printf(&p->line, "\"id\":%s,\"data\":",
	           json_object_to_json_string_ext(id, JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_append(&p->line, body, length);
	buf_puts(&p->line, "}\n");
	json_object_put(text);
	json_object_put(id);
	json_object_put(name);
	return write_line(p, stdout);
}

/* --- what is said beside ----------------------------------------------------------------------- */

static void
tell_gap(struct json_object *data)
{
	const char *run_id = text_of(data, "run_id", NULL), *stream = text_of(data, "stream", NULL);
	struct buf text = BUF_INIT;

	buf_puts(&text, "gap");
	if (*stream || *run_id)
		buf_puts(&text, " in ");
	buf_puts(&text, stream);
	if (*run_id)
		buf_printf(&text, "%s%s", *stream ? " of " : "", run_id);
	buf_printf(&text, ": %s", text_of(data, "reason", NULL));
	if (json_object_object_get_ex(data, "from", NULL))
		buf_printf(&text, ", from byte %" PRId64, number_of(data, "from"));
	if (json_object_object_get_ex(data, "to", NULL))
		buf_printf(&text, " to %" PRId64, number_of(data, "to"));
	printable_warn(buf_string(&text));
	buf_fini(&text);
}

static void
take_end(struct tail_printer *p, struct json_object *data)
{
	struct json_object *code;

	p->last = TAIL_LAST_END;
	p->is_completed = strcmp(text_of(data, "status", NULL), "completed") == 0;
	p->has_exit_code = json_object_object_get_ex(data, "exit_code", &code);
	p->exit_code = p->has_exit_code ? json_object_get_int(code) : 0;
}

/* What ends a stream, or is missing in it. In JSON the reader is told by the event itself. */
static void
take_note(struct tail_printer *p, const char *name, struct json_object *data)
{
	struct buf text = BUF_INIT;

	p->last = TAIL_LAST_OTHER;
	if (strcmp(name, "complete") == 0 || strcmp(name, "done") == 0) {
		take_end(p, data);
	} else if (strcmp(name, "gone") == 0) {
		p->last = TAIL_LAST_GONE;
		buf_printf(&text, "the run %s was deleted", text_of(data, "run_id", NULL));
	} else if (strcmp(name, "refused") == 0) {
		p->last = TAIL_LAST_REFUSED;
		p->retry_after_s = number_of(data, "retry_after_s");
		buf_printf(&text, "refused: %s", text_of(data, "message", NULL));
	} else if (strcmp(name, "error") == 0) {
		p->last = TAIL_LAST_FAILURE;
		buf_printf(&text, "the file cannot be read: %s", text_of(data, "message", NULL));
	} else if (strcmp(name, "gap") == 0 && !p->is_json) {
		tell_gap(data);
	}
	if (text.length_bytes > 0)
		printable_warn(buf_string(&text));
	buf_fini(&text);
}

int
tail_printer_event(void *arg, const struct sse_event *event)
{
	struct tail_printer *p = arg;
	struct json_object *data = event->is_named ? parse(p, event) : NULL;
	const char *name = event->name;
	int error = 0;

	if (event->is_named && strcmp(name, "heartbeat") != 0)
		take_note(p, name, data);
	else if (!event->is_named)
		p->last = TAIL_LAST_OTHER;
	if (p->is_json)
		error = print_json(p, event, data);
	else if (!event->is_named)
		error = print_recorded(p, NULL, event);
	else if (data && strcmp(name, "log") == 0)
		error = print_log(p, data);
	else if (data && p->seen && is_seen(p, XXH3_64bits(event->data, event->data_length)))
		error = 0;
	else if (data && strcmp(name, "message") == 0)
		error = print_message(p, data);
	else if (data && strcmp(name, "event") == 0)
		error = print_recorded(p, data, event);
	json_object_put(data);
	return error;
}
