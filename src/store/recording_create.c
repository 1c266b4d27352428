#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "model/json_scan.h"
#include "store/recording.h"
#include "store/recording_file.h"
#include "store/run_dir.h"
#include "store/run_info.h"

enum { MOST_ATTEMPTS = 16, MOST_FOLDERS = 4 };

/* The folders on the way to a run, each opened for listing. */
struct way {
	int fds[MOST_FOLDERS]; /* the run's is the last */
	size_t count;
};

static void
close_way(struct way *way)
{
	while (way->count > 0)
		fd_close(&way->fds[--way->count]);
}

static int
descend(struct way *way, int from_fd, const char *name, bool *ret_is_new)
{
	int error = run_dir_make(from_fd, name, ret_is_new, &way->fds[way->count]);

	if (!error)
		way->count++;
	return error;
}

/* A run has no runs in it: they would not be found. */
static int
check_no_run(int dir_fd, const struct recording *recording)
{
	const char *const files[] = { recording->run_info, recording->events };
	struct stat st;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (fstatat(dir_fd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return -EEXIST;
		if (errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int
make_parents(const struct recording *recording, const struct run_request *request, struct way *way)
{
	int error;

	if (!*request->project_id)
		return 0;
	error = descend(way, recording->runs_dir_fd, request->project_id, NULL);
	if (!error)
		error = check_no_run(way->fds[0], recording);
	if (!error)
		error = descend(way, way->fds[0], request->task_id, NULL);
	if (!error)
		error = descend(way, way->fds[1], "runs", NULL);
	return error;
}

/* --- the name --------------------------------------------------------------------------------------- */

/* "run_20260204183042569_1b9df63c": sorts by time, and nobody else has it, most likely. */
static int
make_up_id(int64_t now_ms, char to[static RUN_ID_BYTES + 1])
{
	time_t s = (time_t)(now_ms / 1000);
	struct tm tm = { 0 };
	uint32_t random;
	char stamp[32];

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	snprintf(to, RUN_ID_BYTES + 1, "run_%s%03d_%08x", stamp, (int)(now_ms % 1000), random);
	return 0;
}

/* Ids are unique beneath the runs directory: the same key in another task makes another one. */
static void
derive_id(const struct run_request *request, char to[static RUN_ID_BYTES + 1])
{
	char text[sizeof(request->project_id) + sizeof(request->task_id) + sizeof(request->key)];
	struct digest digest;

	if (*request->project_id)
		snprintf(text, sizeof(text), "%s/%s/%s", request->project_id, request->task_id,
		         request->key);
	else
		snprintf(text, sizeof(text), "%s", request->key);
	digest = digest_of(text, strlen(text));

	snprintf(to, RUN_ID_BYTES + 1, "run_%016jx%016jx", (uintmax_t)digest.high, (uintmax_t)digest.low);
}

/* Makes the run's folder, or finds it, where a key may say that it is ours. */
static int
make_folder(const struct recording *recording, const struct run_request *request, struct way *way,
            char run_id[static RUN_ID_BYTES + 1], bool *ret_is_new)
{
	int parent_fd = way->count > 0 ? way->fds[way->count - 1] : recording->runs_dir_fd;
	bool is_new;
	int error;

	for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
		bool is_made_up = !*request->run_id && !*request->key;

		error = 0;
		if (*request->run_id)
			memcpy(run_id, request->run_id, sizeof(request->run_id));
		else if (*request->key)
			derive_id(request, run_id);
		else
			error = make_up_id(clock_wall_ms(), run_id);
		if (!error)
			error = descend(way, parent_fd, run_id, &is_new);
		if (error || is_new || *request->key) {
			*ret_is_new = !error && is_new;
			return error;
		}
		fd_close(&way->fds[--way->count]);
		if (!is_made_up)
			return -EEXIST;
	}
	return -EEXIST;
}

/* --- what is in it ---------------------------------------------------------------------------------- */

/* Whether the folder has nothing that we would not have put there before the first event. */
static int
is_unfinished(int dir_fd, const struct recording *recording, bool *ret_is_unfinished)
{
	size_t info_length = strlen(recording->run_info);
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool is_ours = true;

	if (!dir) {
		int error = -errno;

		fd_close(&fd);
		return error;
	}
	while (is_ours && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		/* ".run-info.yaml.4711" is what run_info_write() is in the middle of. */
		is_ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		          strcmp(name, recording->run_info) == 0 ||
		          strcmp(name, recording->events) == 0 ||
		          (name[0] == '.' && strncmp(name + 1, recording->run_info, info_length) == 0);
	}
	closedir(dir);
	*ret_is_unfinished = is_ours;
	return 0;
}

/* arg: the key. Returns 1 if the line bears it, else -EEXIST. */
static int
bears_key(const char *line, size_t length, void *arg)
{
	const char *key = arg;
	struct json_member member;
	struct json_walk walk;

	if (json_walk_object(line, length, &walk) < 0)
		return -EEXIST;
	while (json_walk_member(&walk, &member) > 0)
		if (json_member_is(&member, "key") && json_value_is(&member.value, key, strlen(key)))
			return 1;
	return -EEXIST;
}

/* Whether the first line is the first event of a request with this key: 1; 0: there is no line;
 * -EEXIST: it is another one; other -errno. */
static int
begins_with_key(int fd, uint64_t size_bytes, const char *key)
{
	char key_copy[EVENT_KEY_BYTES + 1];
	uint64_t offset;

	snprintf(key_copy, sizeof(key_copy), "%s", key);
	return recording_file_lines(fd, 0, size_bytes, bears_key, key_copy, &offset);
}

/*
 * What an earlier try made: *ret_is_begun says whether its first event is there. -EEXIST: the
 * folder is somebody else's.
 */
static int
examine(int dir_fd, const struct recording *recording, const char *key, bool *ret_is_begun)
{
	bool is_ours = false;
	struct stat st;
	int fd, r;

	*ret_is_begun = false;
	r = run_dir_open_file(dir_fd, recording->events, &st, &fd);
	if (r == 0) {
		r = begins_with_key(fd, (uint64_t)st.st_size, key);
		fd_close(&fd);
		if (r < 0)
			return r;
		*ret_is_begun = r == 1;
		if (r == 1)
			return 0;
	} else if (r != -ENOENT) {
		return r;
	}
	r = is_unfinished(dir_fd, recording, &is_ours);
	if (r == 0 && !is_ours)
		r = -EEXIST;
	return r;
}

static int
write_first_info(int dir_fd, const struct recording *recording, const struct run_request *request,
                 const char *run_id)
{
	struct run_request names = *request; /* for what may be written to, though it is not */
	char status[] = "running", id[RUN_ID_BYTES + 1];
	struct run_info info;
	struct stat st;

	if (fstatat(dir_fd, recording->run_info, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	snprintf(id, sizeof(id), "%s", run_id);
	run_info_init(&info);
	info.run_id = id;
	info.project_id = names.project_id;
	info.task_id = names.task_id;
	info.status = status;
	info.start_time_ms = clock_wall_ms();
	return run_info_write(dir_fd, recording->run_info, &info,
	                      recording->durability == RECORDING_SYNCED);
}

static int
append_first_event(struct recording_file *file, const struct run_request *request)
{
	struct buf line = BUF_INIT;
	int error;

	buf_append(&line, request->started.data, request->started.length_bytes);
	buf_putc(&line, '\n');
	error = buf_error(&line);
	if (!error)
		(void)recording_file_append(file, line.data, line.length_bytes, &error);
	buf_fini(&line);
	return error;
}

/* Sees to it that the first event is there, and as safe as was promised, whoever appended it. */
static int
begin_events(int dir_fd, const struct recording *recording, const struct run_request *request,
             bool *was_begun)
{
	struct recording_file file;
	int error = recording_file_open(dir_fd, recording->events, &file), r;

	if (error)
		return error;
	if (!*was_begun && *request->key) {
		/* Of an event that was cut off just before its newline it is seen only now. */
		r = begins_with_key(file.fd, file.end_bytes, request->key);
		error = r < 0 ? r : 0;
		*was_begun = r == 1;
	}
	if (!error && !*was_begun)
		error = append_first_event(&file, request);
	if (!error && recording->durability == RECORDING_SYNCED)
		error = recording_file_sync(&file);
	recording_file_close(&file);
	return error;
}

/* Puts into the folder what is missing. Two that retry the same request take turns. */
static int
fill(int dir_fd, const struct recording *recording, const struct run_request *request,
     const char *run_id, bool *ret_was_begun)
{
	int error = recording_lock(dir_fd);

	/* There are file systems that do not lock folders: then they may see one another's work. */
	if (error && error != -EOPNOTSUPP && error != -EBADF && error != -EISDIR)
		return error;
	error = 0;
	if (*request->key)
		error = examine(dir_fd, recording, request->key, ret_was_begun);
	if (!error)
		error = write_first_info(dir_fd, recording, request, run_id);
	if (!error)
		error = begin_events(dir_fd, recording, request, ret_was_begun);
	return error;
}

/* --- taking it away again --------------------------------------------------------------------------- */

/* arg: the request. 0 if it is its first event, else -EEXIST. */
static int
is_first_event(const char *line, size_t length, void *arg)
{
	const struct run_request *request = arg;

	/* Before it there may be blanks: see recording_file.h. */
	while (length > 0 && *line == ' ')
		line++, length--;
	return length == 0 || (length == request->started.length_bytes &&
	                       memcmp(line, request->started.data, length) == 0) ? 0 : -EEXIST;
}

/*
 * A new folder that could not be filled for who gave no key, and so could not come back to it. What
 * somebody else has put into it meanwhile stays, and the folder with it.
 */
static void
take_away(const struct way *way, const struct recording *recording,
          const struct run_request *request, const char *run_id)
{
	int dir_fd = way->fds[way->count - 1];
	int parent_fd = way->count > 1 ? way->fds[way->count - 2] : recording->runs_dir_fd;
	struct run_request copy = *request;
	bool is_ours = false;
	uint64_t offset;
	struct stat st;
	int fd, error;

	if (is_unfinished(dir_fd, recording, &is_ours) != 0 || !is_ours)
		return;
	error = run_dir_open_file(dir_fd, recording->events, &st, &fd);
	if (!error) {
		error = recording_file_lines(fd, 0, (uint64_t)st.st_size, is_first_event, &copy,
		                             &offset);
		fd_close(&fd);
	}
	if (error && error != -ENOENT)
		return;
	unlinkat(dir_fd, recording->events, 0);
	unlinkat(dir_fd, recording->run_info, 0);
	unlinkat(parent_fd, run_id, AT_REMOVEDIR);
}

int
recording_create(const struct recording *recording, const struct run_request *request,
                 struct recording_created *ret_created)
{
	struct recording_created created;
	struct way way = { .count = 0 };
	bool was_begun = false, is_new = false;
	int error;

	error = make_parents(recording, request, &way);
	if (!error)
		error = make_folder(recording, request, &way, created.run_id, &is_new);
	if (!error)
		error = fill(way.fds[way.count - 1], recording, request, created.run_id, &was_begun);
	if (!error && recording->durability == RECORDING_SYNCED) {
		/* From the run upwards; also what was there: its maker may have been killed. */
		for (size_t i = way.count; i > 0 && !error; i--)
			error = run_dir_sync(way.fds[i - 1]);
		if (!error)
			error = run_dir_sync(recording->runs_dir_fd);
	}
	if (error && is_new && !*request->key)
		take_away(&way, recording, request, created.run_id);
	close_way(&way);
	if (error)
		return error;
	created.is_new = !was_begun;
	if (*request->project_id)
		snprintf(created.path, sizeof(created.path), "%s/%s/runs/%s", request->project_id,
		         request->task_id, created.run_id);
	else
		snprintf(created.path, sizeof(created.path), "%s", created.run_id);
	*ret_created = created;
	return 0;
}
