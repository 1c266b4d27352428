#include "store/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "model/json_text.h"
#include "store/recording_cache.h"
#include "store/recording_file.h"
#include "store/run_dir.h"
#include "store/run_info.h"

/* A run, opened and locked for one of the functions below. */
struct session {
	const struct recording *recording;
	const char *path;
	struct recording_cache *cache; /* the caller's, or own */
	struct recording_cache own;
	int dir_fd;
	struct recording_file file;
};

static int
open_session(struct session *s, const struct recording *recording, const char *path,
             struct recording_cache *cache)
{
	int error;

	*s = (struct session){ .recording = recording, .path = path, .cache = cache, .dir_fd = -1,
		               .file = { .fd = -1 } };
	if (!cache)
		s->cache = &s->own;
	error = run_dir_open(recording->runs_dir_fd, path, &s->dir_fd);
	if (!error)
		error = recording_file_open(s->dir_fd, recording->events, &s->file);
	if (error)
		fd_close(&s->dir_fd);
	return error;
}

static void
close_session(struct session *s)
{
	recording_cache_fini(&s->own);
	recording_file_close(&s->file);
	fd_close(&s->dir_fd);
}

/*
 * Has what is in the file survive what the durability says, also where others appended it: a retry
 * that finds its events recorded is told so only when they are as safe as was promised.
 */
static int
make_durable(struct session *s)
{
	struct recording_cache *cache = s->cache;
	int error;

	if (s->recording->durability == RECORDING_WRITTEN)
		return 0;
	error = recording_file_sync(&s->file);
	if (error || (cache->synced_inode == s->file.inode && cache->synced_device == s->file.device))
		return error;
	/* Whoever made the file may have been killed before its entry was on disk. */
	error = run_dir_sync(s->dir_fd);
	if (!error) {
		cache->synced_device = s->file.device;
		cache->synced_inode = s->file.inode;
	}
	return error;
}

/* --- events ---------------------------------------------------------------------------------------- */

/* Adds to the text the batch's events that are not recorded yet. 0 or -ENOMEM. */
static int
gather(struct recording_cache *cache, struct recording_batch *batch, struct buf *text)
{
	const struct event_batch *events = batch->events;

	for (size_t i = 0; i < events->count; i++) {
		const struct event_batch_line *entry = &events->entries[i];

		if (entry->has_key) {
			if (recording_cache_knows(cache, &entry->key))
				continue;
			/* At once: the next batch may be a retry of this one. */
			if (recording_cache_add(cache, &entry->key) < 0)
				return -ENOMEM;
		}
		buf_append(text, events->lines.data + entry->offset, entry->length);
		batch->recorded++;
	}
	return buf_error(text);
}

/* Whether nothing of it is new. */
static bool
is_recorded(const struct recording_cache *cache, const struct event_batch *events)
{
	for (size_t i = 0; i < events->count; i++)
		if (!events->entries[i].has_key || !recording_cache_knows(cache, &events->entries[i].key))
			return false;
	return events->count > 0;
}

static bool
have_keys(const struct recording_batch *batches, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < batches[i].events->count; k++)
			if (batches[i].events->entries[k].has_key)
				return true;
	return false;
}

static int
fail_all(struct recording_batch *batches, size_t count, int error)
{
	for (size_t i = 0; i < count; i++) {
		batches[i].error = error;
		batches[i].recorded = 0;
	}
	return error;
}

static bool
any_done(const struct recording_batch *batches, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (batches[i].error == 0)
			return true;
	return false;
}

static int
first_error(const struct recording_batch *batches, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (batches[i].error)
			return batches[i].error;
	return 0;
}

/* Appends; a batch whose lines are not all there has its error set. ends: of the batches' lines in
 * the text. */
static void
append_gathered(struct session *s, struct recording_batch *batches, size_t count,
                const struct buf *text, const size_t *ends)
{
	size_t written;
	int error;

	if (text->length_bytes == 0)
		return;
	written = recording_file_append(&s->file, text->data, text->length_bytes, &error);
	if (!error)
		return;
	/* It knows keys now that were not recorded. */
	recording_cache_forget(s->cache);
	for (size_t i = 0; i < count; i++)
		if (ends[i] > written) {
			(void)fail_all(batches + i, count - i, error);
			return;
		}
}

int
recording_append(const struct recording *recording, const char *path, struct recording_cache *cache,
                 struct recording_batch *batches, size_t count)
{
	struct buf text = BUF_INIT;
	struct session s;
	size_t *ends;
	bool has_ended = false;
	int error;

	must(count > 0);
	(void)fail_all(batches, count, 0);
	error = open_session(&s, recording, path, cache);
	if (error)
		return fail_all(batches, count, error);
	ends = calloc(count, sizeof(*ends));
	if (!ends)
		error = -ENOMEM;
	if (!error)
		error = recording_cache_has_ended(cache, s.dir_fd, recording->run_info, &has_ended);
	if (!error && have_keys(batches, count))
		error = recording_cache_extend(s.cache, &s.file);
	for (size_t i = 0; i < count && !error; i++) {
		/* Of one that is recorded already this may be a late retry. */
		if (has_ended && !is_recorded(s.cache, batches[i].events))
			batches[i].error = -EPERM;
		else
			error = gather(s.cache, &batches[i], &text);
		ends[i] = text.length_bytes;
		if (error)
			recording_cache_forget(s.cache);
	}
	if (error) {
		(void)fail_all(batches, count, error);
	} else {
		append_gathered(&s, batches, count, &text, ends);
		recording_file_unlock(&s.file); /* nobody has to wait for our sync */
		if (any_done(batches, count))
			error = make_durable(&s);
		if (error)
			(void)fail_all(batches, count, error);
		else
			error = first_error(batches, count);
	}
	close_session(&s);
	buf_fini(&text);
	free(ends);
	return error;
}

/* --- lifecycle -------------------------------------------------------------------------------------- */

static bool
knows_key(const struct session *s, const char *key)
{
	struct digest digest;

	if (!*key)
		return false;
	digest = digest_of(key, strlen(key));
	return recording_cache_knows(s->cache, &digest);
}

static int
append_line(struct session *s, const struct buf *line)
{
	int error = buf_error(line);

	if (!error)
		(void)recording_file_append(&s->file, line->data, line->length_bytes, &error);
	return error;
}

/* As it stands, or, where there is none, with nothing but the run's id. */
static int
read_info(const struct session *s, struct run_info *ret_info)
{
	const char *slash = strrchr(s->path, '/');
	int error = run_info_read(s->dir_fd, s->recording->run_info, ret_info);

	if (error != -ENOENT)
		return error;
	run_info_init(ret_info);
	ret_info->run_id = strdup(slash ? slash + 1 : s->path);
	return ret_info->run_id ? 0 : -ENOMEM;
}

static int
set_text(char **text, const char *value)
{
	char *copy = *value ? strdup(value) : NULL;

	if (*value && !copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int
write_info(const struct session *s, struct run_info *info, const char *status, int32_t exit_code,
           const char *error_summary, int64_t end_ms)
{
	int error = set_text(&info->status, status);

	if (!error)
		error = set_text(&info->error_summary, error_summary);
	info->exit_code = exit_code;
	info->end_time_ms = end_ms;
	if (!error)
		error = run_info_write(s->dir_fd, s->recording->run_info, info,
		                       s->recording->durability == RECORDING_SYNCED);
	return error;
}

static int
append_resumed(struct session *s, const char *key, int64_t now_ms)
{
	struct buf line = BUF_INIT;
	char now[CLOCK_RFC3339_BYTES];
	int error;

	clock_format_rfc3339(now_ms, now);
	buf_printf(&line, "{\"type\":\"run.resumed\",\"time\":\"%s\"", now);
	if (*key) {
		buf_puts(&line, ",\"key\":");
		json_put_string(&line, key, strlen(key));
	}
	buf_puts(&line, "}\n");
	error = append_line(s, &line);
	buf_fini(&line);
	return error;
}

int
recording_resume(const struct recording *recording, const char *path, struct recording_cache *cache,
                 const char *key, int64_t now_ms)
{
	struct run_info info;
	struct session s;
	bool has_ended;
	int error;

	if (!key)
		key = "";
	error = open_session(&s, recording, path, cache);
	if (error)
		return error;
	error = recording_cache_extend(s.cache, &s.file);
	if (error || knows_key(&s, key))
		goto out;
	error = read_info(&s, &info);
	if (error)
		goto out;
	has_ended = run_info_status_is_terminal(run_info_status(&info));
	if (has_ended)
		error = write_info(&s, &info, "running", -1, "", 0);
	run_info_fini(&info);
	/* Killed between the two, it says running, and the events say that it has ended. */
	if (!error && (has_ended || s.cache->phase == RECORDING_ENDED))
		error = append_resumed(&s, key, now_ms);
out:
	if (!error)
		error = make_durable(&s);
	close_session(&s);
	return error;
}

static int
append_completed(struct session *s, const struct run_completion *completion, int64_t now_ms)
{
	struct buf line = BUF_INIT;
	char now[CLOCK_RFC3339_BYTES];
	int error;

	clock_format_rfc3339(now_ms, now);
	run_completion_put_line(&line, completion, now);
	error = append_line(s, &line);
	buf_fini(&line);
	return error;
}

/* Whether the run, which has ended, ended as is said. */
static bool
has_ended_so(const struct session *s, const struct run_info *info,
             const struct run_completion *completion)
{
	if (s->cache->phase == RECORDING_ENDED && s->cache->has_completion)
		return run_completion_equal(&s->cache->completion, completion);
	/* Others ended it, or it was too long ago: there is run-info.yaml alone to compare with. */
	return strcmp(run_info_status(info), completion->status) == 0 &&
	       run_completion_exit_code(completion) == info->exit_code;
}

static int
complete(struct session *s, const struct run_completion *completion, int64_t now_ms)
{
	/* Recorded before, but its owner was killed before run-info.yaml was written? */
	const struct run_completion *recorded =
		s->cache->phase == RECORDING_ENDED && s->cache->has_completion ? &s->cache->completion : NULL;
	bool is_retry = knows_key(s, completion->key);
	bool is_recorded = recorded && (is_retry || run_completion_equal(recorded, completion));
	struct run_info info;
	int error = read_info(s, &info);

	if (error)
		return error;
	if (run_info_status_is_terminal(run_info_status(&info))) {
		if (!is_retry && !has_ended_so(s, &info, completion))
			error = -EPERM;
	} else if (is_retry && (!recorded || strcmp(recorded->key, completion->key) != 0)) {
		error = 0; /* the run was resumed since */
	} else {
		if (is_recorded)
			completion = recorded;
		else
			error = append_completed(s, completion, now_ms);
		/* Whoever recorded it before may have been killed before it was on disk. */
		if (!error)
			error = make_durable(s);
		if (!error)
			error = write_info(s, &info, completion->status,
			                   run_completion_exit_code(completion), completion->error,
			                   now_ms);
	}
	run_info_fini(&info);
	return error;
}

int
recording_complete(const struct recording *recording, const char *path, struct recording_cache *cache,
                   const struct run_completion *completion, int64_t now_ms)
{
	struct session s;
	int error;

	error = open_session(&s, recording, path, cache);
	if (error)
		return error;
	error = recording_cache_extend(s.cache, &s.file);
	if (!error)
		error = complete(&s, completion, now_ms);
	close_session(&s);
	return error;
}
