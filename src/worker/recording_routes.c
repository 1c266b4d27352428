#include "worker/recording_routes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "model/network.h"
#include "worker/run_answer.h"
#include "worker/worker_state.h"

/* Says no before anything was done; the body, if one comes, is passed over. */
static void
refuse(struct connection *c, enum answer_error error, const char *message, const char *name,
       const char *value)
{
	peers_counters(c->worker->peers)->posts_refused++;
	connection_answer(c, answer_error(&c->style, error, message, name, value,
	                                  error == ANSWER_UNAVAILABLE ? 1 : 0));
}

/* --- may it, and is it what it should be: false: answered -------------------------------------------- */

static bool
check_source(struct connection *c)
{
	const char *networks = c->worker->settings.recording.allow_from;

	if (network_list_has(networks, request_variable(c->request, "REMOTE_ADDR")))
		return true;
	refuse(c, ANSWER_FORBIDDEN,
	       *networks ? "recording.allow_from does not name the address that this comes from"
	                 : "recording is off: recording.allow_from is empty",
	       "setting", "recording.allow_from");
	return false;
}

/* RFC 9110, 8.3.1: parameters (a charset, which JSON has no use for) may follow. */
static bool
check_type(struct connection *c)
{
	static const char wanted[] = "application/json";
	const char *type = request_variable(c->request, "CONTENT_TYPE");
	const char *rest = type + sizeof(wanted) - 1;

	if (strncasecmp(type, wanted, sizeof(wanted) - 1) == 0 &&
	    (rest[strspn(rest, " \t")] == ';' || rest[strspn(rest, " \t")] == '\0'))
		return true;
	refuse(c, ANSWER_UNSUPPORTED_TYPE, "what is posted must be application/json", "header",
	       "Content-Type");
	return false;
}

static bool
take_length(struct connection *c, size_t *ret_length)
{
	const char *text = request_variable(c->request, "CONTENT_LENGTH");
	int64_t most = c->worker->settings.recording.max_body_bytes;
	uint64_t length = 0;
	char message[96];
	int error = *text ? num_parse_u64(text, strlen(text), &length) : 0;

	if (error == -EINVAL) {
		refuse(c, ANSWER_BAD_REQUEST, "the length of the body is not a number", "header",
		       "Content-Length");
		return false;
	}
	if (error || length > (uint64_t)most) {
		snprintf(message, sizeof(message), "the body has more than %lld bytes", (long long)most);
		refuse(c, ANSWER_TOO_LARGE, message, "setting", "recording.max_body_bytes");
		return false;
	}
	*ret_length = length;
	return true;
}

static bool
take_key(struct connection *c, struct recorder_post *post)
{
	const char *key = request_variable(c->request, "HTTP_IDEMPOTENCY_KEY");
	size_t length = strlen(key);

	if (length == 0)
		return true;
	if (!event_key_valid(key, length)) {
		refuse(c, ANSWER_BAD_REQUEST,
		       "the key must have 1 to 128 bytes, and no control characters among them", "header",
		       "Idempotency-Key");
		return false;
	}
	memcpy(post->key, key, length + 1);
	return true;
}

static bool
take_run_id(struct connection *c, struct recorder_post *post)
{
	const struct target_text *id = &c->request->target.segments[1];

	if (!run_id_valid(id->text, id->length)) {
		refuse(c, ANSWER_BAD_REQUEST, "this cannot be the id of a run", NULL, NULL);
		return false;
	}
	memcpy(post->run_id, id->text, id->length + 1);
	return true;
}

/* --- posts ------------------------------------------------------------------------------------------- */

static void
submit(struct connection *c, const struct run_query *query, const struct registry_run *run)
{
	(void)query;
	if (!recorder_submit(c->worker->recorder, c, run))
		refuse(c, ANSWER_UNAVAILABLE, "too much waits to be recorded", NULL, NULL);
}

static void
create(struct connection *c)
{
	submit(c, NULL, NULL);
}

static void
find_run(struct connection *c)
{
	const struct recorder_post *post = (const struct recorder_post *)c->body;
	struct run_query query = { .answer = submit };

	memcpy(query.run_id, post->run_id, sizeof(query.run_id));
	run_wait_begin(c, &query);
}

static void
collect(struct connection *c, enum recorder_action action)
{
	struct recorder_post *post;
	size_t length;
	int error;

	if (!check_source(c) || !check_type(c) || !take_length(c, &length))
		return;
	post = calloc(1, sizeof(*post));
	if (!post) {
		connection_free(c);
		return;
	}
	post->action = action;
	post->body.then = action == RECORDER_CREATE ? create : find_run;
	if (!take_key(c, post) || (action != RECORDER_CREATE && !take_run_id(c, post))) {
		free(post);
		return;
	}
	error = body_begin(&post->body, length, &c->worker->body_bytes);
	if (error) {
		free(post);
		refuse(c, ANSWER_UNAVAILABLE, "too much waits to be recorded", NULL, NULL);
		return;
	}
	connection_collect(c, &post->body);
}

void
recording_routes_create(struct connection *c)
{
	collect(c, RECORDER_CREATE);
}

void
recording_routes_append(struct connection *c)
{
	collect(c, RECORDER_APPEND);
}

void
recording_routes_resume(struct connection *c)
{
	collect(c, RECORDER_RESUME);
}

void
recording_routes_complete(struct connection *c)
{
	collect(c, RECORDER_COMPLETE);
}

/* --- answers ------------------------------------------------------------------------------------------ */

static void
put_encoded(struct buf *to, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_putc(to, *text);
		else
			buf_printf(to, "%%%02X", (unsigned char)*text);
}

static void
answer_new_run(struct connection *c, const struct recorder_result *result)
{
	struct json_object *body = json_object_new_object();
	struct buf location = BUF_INIT;

	json_object_object_add(body, "run_id", json_object_new_string(result->created.run_id));
	buf_printf(&location, "%s/runs/", c->worker->settings.api.prefix);
	put_encoded(&location, result->created.run_id);
	connection_answer(c, answer_created(&c->style, body, buf_string(&location)));
	buf_fini(&location);
}

static void
answer_fault(struct connection *c, const struct fault *fault)
{
	char message[256];

	snprintf(message, sizeof(message), "%s %s", *fault->field ? fault->field : "the body",
	         fault->problem);
	connection_answer(c, answer_error(&c->style, ANSWER_BAD_REQUEST, message,
	                                  *fault->field ? "field" : NULL, fault->field, 0));
}

static void
answer_failure(struct connection *c, int error)
{
	static const struct {
		int error;
		enum answer_error answer;
		const char *message;
	} failures[] = {
		{ -EEXIST, ANSWER_CONFLICT, "there is a run of this id" },
		{ -EPERM, ANSWER_CONFLICT, "the run has ended" },
		{ -ENOENT, ANSWER_NOT_FOUND, "there is no such run" },
		{ -EBUSY, ANSWER_UNAVAILABLE, "another program holds the run's events" },
		{ -ENOMEM, ANSWER_UNAVAILABLE, "there is no memory for it now" },
		{ -EMFILE, ANSWER_UNAVAILABLE, "there are too many open files" },
		{ -ENFILE, ANSWER_UNAVAILABLE, "there are too many open files" },
		{ -ENOSPC, ANSWER_NO_SPACE, "there is no space left for events" },
		{ -EDQUOT, ANSWER_NO_SPACE, "there is no space left for events" },
		{ 0, ANSWER_INTERNAL, "this cannot be recorded; the log of the server says why" },
	};
	size_t i = 0;

	while (failures[i].error != 0 && failures[i].error != error)
		i++;
	connection_answer(c, answer_error(&c->style, failures[i].answer, failures[i].message, NULL, NULL,
	                                  failures[i].answer == ANSWER_UNAVAILABLE ? 1 : 0));
}

void
recording_routes_answer(struct connection *c, enum recorder_action action,
                        const struct recorder_result *result)
{
	struct json_object *body;

	if (result->error == -EINVAL || result->error == -E2BIG) {
		answer_fault(c, &result->fault);
		return;
	}
	if (result->error) {
		answer_failure(c, result->error);
		return;
	}
	switch (action) {
	case RECORDER_CREATE:
		answer_new_run(c, result);
		return;
	case RECORDER_APPEND:
		body = json_object_new_object();
		json_object_object_add(body, "accepted", json_object_new_int64((int64_t)result->accepted));
		connection_answer(c, answer_accepted(&c->style, body));
		return;
	case RECORDER_RESUME:
	case RECORDER_COMPLETE:
		body = json_object_new_object();
		json_object_object_add(body, "ok", json_object_new_boolean(true));
		connection_answer(c, answer_json(&c->style, body));
		return;
	}
}
