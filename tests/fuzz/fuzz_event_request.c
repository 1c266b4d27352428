/* Bodies of requests that record: events, runs, and how they ended. */
#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/event_batch.h"
#include "model/run_completion.h"
#include "model/run_request.h"

#define NOW_MS INT64_C(1770229842569)

enum { MOST_EVENTS = 20 };

static void
check_fault(int error, const struct fault *fault)
{
	must(error == -EINVAL || error == -E2BIG);
	must(fault->problem && memchr(fault->field, '\0', sizeof(fault->field)));
}

/* A line of ours is an event, and what was sent is one again. */
static void
check_line(const char *line, size_t length)
{
	struct buf event = BUF_INIT;

	must(length <= EVENT_SENT_BYTES && line[length - 1] == '\n');
	must(!memchr(line, '\n', length - 1) && !memchr(line, '\r', length));
	must(event_line_put(&event, NULL, "r", 1, line, length - 1) == 0);
	buf_fini(&event);
}

/* Sent again as it was stored, it is stored the same. */
static void
check_again(const char *line, size_t length)
{
	char key[EVENT_STORED_KEY_BYTES + 1];
	struct buf again = BUF_INIT;
	struct fault fault;

	/* The longest keys that we make for events are longer than those that may be sent. */
	if (event_line_make(&again, line, length, "", NULL, key, &fault) == 0)
		must(again.length_bytes == length && memcmp(again.data, line, length) == 0);
	else
		must(strcmp(fault.field, "key") == 0);
	buf_fini(&again);
}

static void
check_events(const char *body, size_t length, const char *key)
{
	struct event_batch batch;
	struct fault fault;
	size_t offset = 0;
	int error = event_batch_parse(body, length, key, NOW_MS, MOST_EVENTS, &batch, &fault);

	if (error) {
		check_fault(error, &fault);
		return;
	}
	must(batch.count <= MOST_EVENTS);
	for (size_t i = 0; i < batch.count; i++) {
		const struct event_batch_line *entry = &batch.entries[i];

		must(entry->offset == offset && (entry->has_key || !key));
		check_line(batch.lines.data + offset, entry->length);
		if (!key)
			check_again(batch.lines.data + offset, entry->length);
		offset += entry->length;
	}
	must(offset == batch.lines.length_bytes);
	event_batch_fini(&batch);
}

static void
check_run(const char *body, size_t length)
{
	struct run_request request;
	struct fault fault;
	int error = run_request_parse(body, length, NULL, NOW_MS, &request, &fault);

	if (error) {
		check_fault(error, &fault);
		return;
	}
	must(!*request.run_id || run_id_valid(request.run_id, strlen(request.run_id)));
	must(!*request.project_id == !*request.task_id);
	buf_putc(&request.started, '\n');
	check_line(request.started.data, request.started.length_bytes);
	run_request_fini(&request);
}

static void
check_completion(const char *body, size_t length)
{
	struct run_completion completion, again;
	struct buf line = BUF_INIT;
	struct fault fault;
	int error = run_completion_parse(body, length, NULL, &completion, &fault);

	if (error) {
		check_fault(error, &fault);
		return;
	}
	run_completion_put_line(&line, &completion, "2026-02-04T18:30:42.569Z");
	check_line(line.data, line.length_bytes);
	must(run_completion_parse(line.data, line.length_bytes, NULL, &again, &fault) == 0);
	must(run_completion_equal(&completion, &again) && strcmp(completion.key, again.key) == 0);
	buf_fini(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = size > 0 ? (const char *)data : "";

	check_events(body, size, NULL);
	check_events(body, size, "K");
	check_run(body, size);
	check_completion(body, size);
	return 0;
}
