#include "store/recording_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_scan.h"
#include "store/run_info.h"

enum { KEYS = 32768 }; /* known at least, if so many lie in RECORDING_MEMORY_BYTES; twice at most */

struct recording_cache *
recording_cache_new(void)
{
	return calloc(1, sizeof(struct recording_cache));
}

void
recording_cache_forget(struct recording_cache *cache)
{
	digest_table_fini(&cache->young);
	digest_table_fini(&cache->old);
	cache->scanned_bytes = 0;
	cache->phase = RECORDING_UNKNOWN;
	cache->has_completion = false;
}

void
recording_cache_fini(struct recording_cache *cache)
{
	recording_cache_forget(cache);
}

void
recording_cache_free(struct recording_cache **cache)
{
	if (!*cache)
		return;
	recording_cache_fini(*cache);
	free(*cache);
	*cache = NULL;
}

/* --- keys ---------------------------------------------------------------------------------------- */

bool
recording_cache_knows(const struct recording_cache *cache, const struct digest *key)
{
	return digest_table_get(&cache->young, key) || digest_table_get(&cache->old, key);
}

int
recording_cache_add(struct recording_cache *cache, const struct digest *key)
{
	int r = digest_table_set(&cache->young, key, 1, KEYS);

	if (r == -ENOSPC) {
		digest_table_fini(&cache->old);
		cache->old = cache->young;
		cache->young = (struct digest_table){ 0 };
		r = digest_table_set(&cache->young, key, 1, KEYS);
	}
	return r;
}

/* --- the file ------------------------------------------------------------------------------------ */

static void
take_phase(struct recording_cache *cache, const struct json_value *type, const char *line,
           size_t length)
{
	static const char *const running[] = { "run.started", "run.resumed" };
	static const char *const ended[] = { "run.completed", "run.failed", "run.cancelled",
		                             "run.canceled", "run.crashed", "run.stopped" };
	struct fault fault;

	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (json_value_is(type, running[i], strlen(running[i])))
			cache->phase = RECORDING_RUNNING;
	for (size_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
		if (json_value_is(type, ended[i], strlen(ended[i]))) {
			cache->phase = RECORDING_ENDED;
			cache->has_completion =
				i == 0 && run_completion_parse(line, length, NULL, &cache->completion,
			                                       &fault) == 0;
		}
}

static int
take_line(const char *line, size_t length, void *arg)
{
	struct recording_cache *cache = arg;
	struct json_value type = { 0 }, key_value = { 0 };
	char key[EVENT_STORED_KEY_BYTES];
	struct json_member member;
	struct json_walk walk;
	struct digest digest;
	size_t key_length;
	int r;

	if (json_walk_object(line, length, &walk) < 0)
		return 0;
	while ((r = json_walk_member(&walk, &member)) > 0) {
		if (json_member_is(&member, "type"))
			type = member.value;
		else if (json_member_is(&member, "key"))
			key_value = member.value;
	}
	if (r < 0)
		return 0;
	/* Of all types, those of the run are few. */
	if (type.type == JSON_SCAN_STRING && type.length > 5)
		take_phase(cache, &type, line, length);
	if (key_value.type != JSON_SCAN_STRING ||
	    json_value_text(&key_value, key, sizeof(key), &key_length) < 0)
		return 0;
	digest = digest_of(key, key_length);
	return recording_cache_add(cache, &digest);
}

static int
take_newline(const char *line, size_t length, void *arg)
{
	(void)line;
	(void)length;
	(void)arg;
	return 1; /* at the first line end */
}

int
recording_cache_extend(struct recording_cache *cache, const struct recording_file *file)
{
	uint64_t end = file->end_bytes;
	int r = 0;

	if (cache->device != file->device || cache->inode != file->inode || cache->scanned_bytes > end) {
		recording_cache_forget(cache);
		cache->device = file->device;
		cache->inode = file->inode;
	}
	if (end - cache->scanned_bytes > RECORDING_MEMORY_BYTES) {
		recording_cache_forget(cache);
		r = recording_file_lines(file->fd, end - RECORDING_MEMORY_BYTES, end, take_newline, NULL,
		                         &cache->scanned_bytes);
	}
	if (r >= 0)
		r = recording_file_lines(file->fd, cache->scanned_bytes, end, take_line, cache,
		                         &cache->scanned_bytes);
	if (r < 0)
		recording_cache_forget(cache);
	return r < 0 ? r : 0;
}

/* --- run-info.yaml ------------------------------------------------------------------------------- */

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int
recording_cache_has_ended(struct recording_cache *cache, int dir_fd, const char *run_info,
                          bool *ret_has_ended)
{
	struct run_info info;
	struct stat st;
	int error;

	/* Before it is read: what is newer then is read again the next time. */
	if (fstatat(dir_fd, run_info, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		*ret_has_ended = false;
		return errno == ENOENT ? 0 : -errno;
	}
	if (cache && cache->has_info && is_same_file(&cache->info_stat, &st)) {
		*ret_has_ended = cache->is_ended;
		return 0;
	}
	error = run_info_read(dir_fd, run_info, &info);
	if (error)
		return error;
	*ret_has_ended = run_info_status_is_terminal(run_info_status(&info));
	run_info_fini(&info);
	if (cache) {
		cache->has_info = true;
		cache->info_stat = st;
		cache->is_ended = *ret_has_ended;
	}
	return 0;
}
