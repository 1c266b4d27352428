#include "worker/recorder_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/json_scan.h"

static const char *
key_of(const struct recorder_post *post)
{
	return *post->key ? post->key : NULL;
}

/* --- a new run ------------------------------------------------------------------------------------ */

/* Ids are unique in the runs directory, and folders of another layout may have this one. */
static bool
is_elsewhere(const struct registry *registry, const struct run_request *request)
{
	char path[RECORDER_PATH_BYTES], known[RECORDER_PATH_BYTES];
	struct registry_run run;

	if (*request->run_id == '\0' || registry_find(registry, request->run_id, &run) < 0 ||
	    run.is_deleted)
		return false;
	if (*request->project_id)
		snprintf(path, sizeof(path), "%s/%s/runs/%s", request->project_id, request->task_id,
		         request->run_id);
	else
		snprintf(path, sizeof(path), "%s", request->run_id);
	registry_run_path(&run, known, sizeof(known));
	return strcmp(path, known) != 0;
}

static void
create(struct recorder_job *job)
{
	const struct recorder_post *post = job->posts[0];
	struct recorder_result *result = job->results[0];
	struct run_request request = { .run_id = "" };

	result->error = run_request_parse(post->body.bytes.data, post->body.bytes.length_bytes,
	                                  key_of(post), clock_wall_ms(), &request, &result->fault);
	if (result->error)
		return;
	result->error = is_elsewhere(job->registry, &request)
	                        ? -EEXIST
	                        : recording_create(job->recording, &request, &result->created);
	run_request_fini(&request);
}

/* --- its events ----------------------------------------------------------------------------------- */

static void
append(struct recorder_job *job)
{
	struct event_batch *events = calloc(job->count, sizeof(*events));
	struct recording_batch *batches = calloc(job->count, sizeof(*batches));
	size_t *places = calloc(job->count, sizeof(*places)); /* of the batches, in the job */
	size_t count = 0;

	for (size_t i = 0; i < job->count; i++) {
		const struct recorder_post *post = job->posts[i];
		struct recorder_result *result = job->results[i];

		if (!events || !batches || !places) {
			result->error = -ENOMEM;
			continue;
		}
		result->error = event_batch_parse(post->body.bytes.data, post->body.bytes.length_bytes,
		                                  key_of(post), clock_wall_ms(), RECORDER_POST_EVENTS,
		                                  &events[count], &result->fault);
		if (result->error)
			continue;
		batches[count].events = &events[count];
		places[count++] = i;
	}
	if (count > 0)
		recording_append(job->recording, job->path, job->cache, batches, count);
	for (size_t i = 0; i < count; i++) {
		struct recorder_result *result = job->results[places[i]];

		result->error = batches[i].error;
		result->accepted = events[i].count;
		result->recorded = batches[i].recorded;
		event_batch_fini(&events[i]);
	}
	free(events);
	free(batches);
	free(places);
}

/* --- its end, and its going on -------------------------------------------------------------------- */

static int
fail(struct fault *fault, const char *field, const char *problem)
{
	snprintf(fault->field, sizeof(fault->field), "%s", field);
	fault->problem = problem;
	return -EINVAL;
}

/* Of {"key":…}, or of nothing at all; that of the header wins. */
static int
parse_resume(const struct recorder_post *post, char ret_key[static EVENT_KEY_BYTES + 1],
             struct fault *ret_fault)
{
	const struct buf *body = &post->body.bytes;
	struct json_member member;
	struct json_walk walk;
	char key[EVENT_KEY_BYTES + 1] = "";
	size_t length;
	int r;

	memcpy(ret_key, post->key, sizeof(post->key));
	if (body->length_bytes == 0)
		return 0;
	if (json_walk_object(body->data, body->length_bytes, &walk) < 0)
		return fail(ret_fault, "", "must be a JSON object");
	while ((r = json_walk_member(&walk, &member)) > 0) {
		if (!json_member_is(&member, "key") || member.value.type == JSON_SCAN_NULL)
			continue;
		if (json_value_text(&member.value, key, EVENT_KEY_BYTES, &length) < 0 ||
		    !event_key_valid(key, length))
			return fail(ret_fault, "key",
			            "must be a string of 1 to 128 bytes without control characters");
		key[length] = '\0';
	}
	if (r < 0)
		return fail(ret_fault, "", "must be a JSON object");
	if (*ret_key == '\0')
		memcpy(ret_key, key, sizeof(key));
	return 0;
}

static void
resume(struct recorder_job *job)
{
	struct recorder_result *result = job->results[0];
	char key[EVENT_KEY_BYTES + 1];

	result->error = parse_resume(job->posts[0], key, &result->fault);
	if (result->error == 0)
		result->error = recording_resume(job->recording, job->path, job->cache, key,
		                                 clock_wall_ms());
}

static void
complete(struct recorder_job *job)
{
	const struct recorder_post *post = job->posts[0];
	struct recorder_result *result = job->results[0];
	struct run_completion completion;

	result->error = run_completion_parse(post->body.bytes.data, post->body.bytes.length_bytes,
	                                     key_of(post), &completion, &result->fault);
	if (result->error == 0)
		result->error = recording_complete(job->recording, job->path, job->cache, &completion,
		                                   clock_wall_ms());
}

void
recorder_job_do(struct recorder_job *job)
{
	switch (job->posts[0]->action) {
	case RECORDER_CREATE:
		create(job);
		return;
	case RECORDER_APPEND:
		append(job);
		return;
	case RECORDER_RESUME:
		resume(job);
		return;
	case RECORDER_COMPLETE:
		complete(job);
		return;
	}
}
