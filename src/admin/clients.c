#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/view.h"

const struct command_option clients_options[] = {
	{ "full", NULL, "columns as wide as they are, on a terminal as well", 'l' },
	{ "quiet", NULL, "their names alone, one a line", 'q' },
	{ 0 },
};

/* All clients of the workers that live, by whoever asks. */
struct list {
	struct listed {
		uint32_t worker; /* from 1 */
		struct clients_client client;
	} *entries;
	size_t count, capacity;
};

/* False: without memory. */
static bool
add(struct list *list, uint32_t worker, const struct clients_client *client)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
		void *entries = reallocarray(list->entries, capacity, sizeof(*list->entries));

		if (!entries)
			return false;
		list->entries = entries;
		list->capacity = capacity;
	}
	list->entries[list->count++] = (struct listed){ .worker = worker, .client = *client };
	return true;
}

/* Those of one run, or of all (run_id NULL). One that keeps changing has just come or gone: it
 * will be there the next time, or not. */
static bool
collect(const struct view *view, const char *run_id, struct list *list)
{
	for (uint32_t worker = 0; worker < view->worker_count; worker++) {
		const struct clients *clients = view->workers[worker].clients;
		uint32_t slots = clients_count(clients);

		for (uint32_t slot = 0; view_worker_lives(view, worker) && slot < slots; slot++) {
			struct clients_client client;

			if (clients_at(clients, slot, &client) < 0 ||
			    (run_id && strcmp(client.run_id, run_id) != 0))
				continue;
			if (!add(list, worker + 1, &client))
				return false;
		}
	}
	return true;
}

/* Of what is not known, nothing can be said: it comes last. */
static int
compare_behind(uint64_t a, uint64_t b)
{
	uint64_t left = a == CLIENTS_UNKNOWN ? 0 : a + 1, right = b == CLIENTS_UNKNOWN ? 0 : b + 1;

	return (left < right) - (left > right);
}

/* The slowest first; among equals, who has been there for longest. */
static int
compare(const void *a, const void *b)
{
	const struct listed *left = a, *right = b;
	const struct clients_client *x = &left->client, *y = &right->client;
	int order = compare_behind(x->figures.bytes_behind, y->figures.bytes_behind);

	if (order == 0)
		order = compare_behind(x->figures.lines_behind, y->figures.lines_behind);
	if (order == 0)
		order = (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
	if (order == 0)
		order = (left->worker > right->worker) - (left->worker < right->worker);
	if (order == 0)
		order = (x->number > y->number) - (x->number < y->number);
	return order;
}

static void
put_behind(struct output *output, const char *key, uint64_t value)
{
	if (value == CLIENTS_UNKNOWN)
		output_unknown(output, key);
	else
		output_count(output, key, value);
}

static void
put_client(struct output *output, const struct view *view, const struct listed *listed)
{
	const struct clients_client *client = &listed->client;
	const char *project_id = client->project_id, *task_id = client->task_id;
	char name[CLIENTS_NAME_BYTES];
	struct registry_run run;

	/* Of a run, its client says no more than the id. */
	if (*client->run_id && registry_find(view->registry, client->run_id, &run) == 0) {
		project_id = run.project_id;
		task_id = run.task_id;
	}
	clients_name_format(listed->worker, client->number, name);
	output_row_begin(output);
	output_string(output, "client", name);
	output_string(output, "address", client->address);
	output_string(output, "stream", client->kind);
	output_string(output, "run_id", client->run_id);
	output_string(output, "project_id", project_id);
	output_string(output, "task_id", task_id);
	output_time(output, "since", client->since_ms);
	output_count(output, "events_sent", client->figures.events_sent);
	output_count(output, "bytes_sent", client->figures.bytes_sent);
	put_behind(output, "lines_behind", client->figures.lines_behind);
	put_behind(output, "bytes_behind", client->figures.bytes_behind);
	if (output_is_json(output))
		output_time(output, "updated", client->figures.updated_ms);
	output_row_end(output);
}

static int
print_names(const struct list *list)
{
	char name[CLIENTS_NAME_BYTES];

	for (size_t i = 0; i < list->count; i++) {
		clients_name_format(list->entries[i].worker, list->entries[i].client.number, name);
		printf("%s\n", name);
	}
	return COMMAND_DONE;
}

static int
show(const struct call *call, const struct view *view)
{
	const char *run_id = call->argument_count > 0 ? call->arguments[0] : NULL;
	struct list list = { 0 };
	struct registry_run run;
	struct output *output;
	int status;

	if (!collect(view, run_id, &list)) {
		free(list.entries);
		return command_failed("out of memory");
	}
	if (run_id && list.count == 0 && registry_find(view->registry, run_id, &run) == -ENOENT)
		return command_failed("there is no run %s in the registry", run_id);
	if (list.count > 0)
		qsort(list.entries, list.count, sizeof(*list.entries), compare);
	if (call_option(call, "quiet")) {
		status = print_names(&list);
		free(list.entries);
		return status;
	}
	output = call_output(call);
	status = COMMAND_FAILED;
	if (output) {
		output_rows_begin(output, "clients");
		for (size_t i = 0; i < list.count; i++)
			put_client(output, view, &list.entries[i]);
		output_rows_end(output);
		status = call_output_end(&output);
	}
	free(list.entries);
	return status;
}

int
clients_run(struct call *call)
{
	struct view *view;
	int status = view_of_call(call, NULL, &view);

	if (status != 0)
		return status;
	status = show(call, view);
	view_free(&view);
	return status;
}
