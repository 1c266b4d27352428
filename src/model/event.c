#include "model/event.h"

#include <string.h>

#include "model/json_text.h"

static void
put_string(struct buf *to, const char *text)
{
	json_put_string(to, text, strlen(text));
}

static void
put_signed(struct buf *to, int64_t value)
{
	if (value < 0)
		buf_putc(to, '-');
	buf_put_u64(to, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Begins the next member of the object that ends the buffer. */
static void
put_name(struct buf *to, const char *name)
{
	if (to->length_bytes > 0 && to->data[to->length_bytes - 1] != '{')
		buf_putc(to, ',');
	buf_putc(to, '"');
	buf_puts(to, name);
	buf_puts(to, "\":");
}

static void
put_text(struct buf *to, const char *name, const char *text)
{
	if (!*text)
		return;
	put_name(to, name);
	put_string(to, text);
}

void
event_put_run(struct buf *to, const struct event_run *run)
{
	buf_putc(to, '{');
	put_text(to, "run_id", run->run_id);
	put_text(to, "project_id", run->project_id);
	put_text(to, "task_id", run->task_id);
}

/* The run alone, which says the rest; or the bus, which is a project's or a task's. */
static void
put_whose(struct buf *to, const struct event_run *run)
{
	struct event_run alone = { .run_id = run->run_id, .project_id = "", .task_id = "" };

	event_put_run(to, *run->run_id ? &alone : run);
}

void
event_begin(struct buf *to, const struct event_id *id, const char *name)
{
	if (id) {
		buf_puts(to, "id: ");
		buf_append(to, id->text, id->length);
		buf_putc(to, '\n');
	}
	buf_puts(to, "event: ");
	buf_puts(to, name);
	buf_puts(to, "\ndata: ");
}

void
event_end(struct buf *to)
{
	buf_puts(to, "\n\n");
}

static void
end(struct buf *to)
{
	buf_putc(to, '}');
	event_end(to);
}

void
event_put_opening(struct buf *to, int64_t retry_ms)
{
	buf_puts(to, ": runstream\nretry: ");
	put_signed(to, retry_ms);
	buf_puts(to, "\n\n");
}

void
event_put_heartbeat(struct buf *to)
{
	event_begin(to, NULL, "heartbeat");
	buf_putc(to, '{');
	end(to);
}

static void
put_status(struct buf *to, const char *status, int32_t exit_code)
{
	buf_puts(to, ",\"status\":");
	put_string(to, status);
	buf_puts(to, ",\"exit_code\":");
	put_signed(to, exit_code);
	end(to);
}

void
event_put_status(struct buf *to, const struct event_id *id, const struct event_run *run,
                 const char *status, int32_t exit_code)
{
	event_begin(to, id, "status");
	event_put_run(to, run);
	put_status(to, status, exit_code);
}

void
event_put_complete(struct buf *to, const struct event_id *id, const struct event_run *run,
                   const char *status, int32_t exit_code)
{
	event_begin(to, id, "complete");
	buf_puts(to, "{\"id\":");
	put_string(to, run->run_id);
	buf_puts(to, ",\"run_id\":");
	put_string(to, run->run_id);
	put_status(to, status, exit_code);
}

void
event_put_gap(struct buf *to, const struct event_id *id, const struct event_run *run,
              const struct event_gap *gap)
{
	event_begin(to, id, "gap");
	put_whose(to, run);
	if (gap->stream)
		put_text(to, "stream", gap->stream);
	put_text(to, "reason", gap->reason);
	if (gap->has_from) {
		put_name(to, "from");
		buf_put_u64(to, gap->from);
	}
	if (gap->has_to) {
		put_name(to, "to");
		buf_put_u64(to, gap->to);
	}
	end(to);
}

void
event_put_done(struct buf *to, const struct event_id *id, const struct event_run *run)
{
	event_begin(to, id, "done");
	put_whose(to, run);
	end(to);
}

void
event_put_error(struct buf *to, int error)
{
	event_begin(to, NULL, "error");
	buf_puts(to, "{\"message\":");
	put_string(to, strerror(-error));
	end(to);
}

void
event_put_gone(struct buf *to, const struct event_run *run)
{
	event_begin(to, NULL, "gone");
	put_whose(to, run);
	end(to);
}

void
event_put_refused(struct buf *to, const char *code, const char *message, int64_t retry_after_s)
{
	buf_puts(to, "retry: ");
	put_signed(to, retry_after_s * 1000);
	buf_putc(to, '\n');
	event_begin(to, NULL, "refused");
	buf_puts(to, "{\"code\":");
	put_string(to, code);
	buf_puts(to, ",\"message\":");
	put_string(to, message);
	buf_puts(to, ",\"retry_after_s\":");
	put_signed(to, retry_after_s);
	end(to);
}
