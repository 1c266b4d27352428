/* What a run's run-info says, put into the terms of the registry. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/state.h"
#include "model/run_id.h"
#include "model/utf8.h"
#include "store/file_identity.h"
#include "store/run_info.h"

enum { RECENT_MS = 10 * 60 * 1000 };

static void
set_name(char to[static REGISTRY_NAME_BYTES + 1], const char *from, const char *otherwise)
{
	if (!from || !run_id_valid(from, strlen(from)))
		from = otherwise;
	snprintf(to, REGISTRY_NAME_BYTES + 1, "%s", from);
}

static void
set_status(struct registry_run *entry, const char *status)
{
	size_t length = strlen(status);

	/* Cut where a character ends; and what is no word at all is none that we know. */
	if (length > REGISTRY_STATUS_BYTES)
		length = utf8_cut((const uint8_t *)status, REGISTRY_STATUS_BYTES);
	if (!run_id_valid(status, length)) {
		status = "unknown";
		length = strlen(status);
	}
	memcpy(entry->status, status, length);
	entry->status[length] = '\0';
	entry->is_terminal = run_info_status_is_terminal(entry->status);
}

static void
apply_info(struct registry_run *entry, const struct run_info *info)
{
	set_name(entry->project_id, info->project_id, entry->path_project);
	set_name(entry->task_id, info->task_id, entry->path_task);
	set_status(entry, run_info_status(info));
	entry->exit_code = info->exit_code;
	entry->start_time_ms = info->start_time_ms;
	entry->end_time_ms = info->end_time_ms;
}

static void
info_failed(struct registry_run *entry, const char *path, int error, bool may_change)
{
	if (error == -EPROTONOSUPPORT)
		set_status(entry, "unsupported_version");
	if (may_change)
		return; /* some write it in place: what is read once more is not worth a line yet */
	if (error == -EPROTONOSUPPORT) {
		log_warning("run_info_version", "run=\"%s\" path=\"%s\" highest=%d",
		            entry->run_id, path, RUN_INFO_VERSION);
	} else {
		log_warning("run_info_unreadable", "run=\"%s\" path=\"%s\" error=\"%s\"",
		            entry->run_id, path, error == -EBADMSG ? "not a mapping in YAML"
		                                                   : strerror(-error));
	}
}

void
info_blank(const struct folder *folder, const char *name, struct registry_run *ret_entry)
{
	bool is_in_task = folder->kind == FOLDER_TASK;

	*ret_entry = (struct registry_run){ .first_seen_ms = clock_wall_ms(), .exit_code = -1 };
	set_name(ret_entry->run_id, name, "");
	set_name(ret_entry->path_project, is_in_task ? folder->parent->name : NULL, "");
	set_name(ret_entry->path_task, is_in_task ? folder->name : NULL, "");
	strcpy(ret_entry->project_id, ret_entry->path_project);
	strcpy(ret_entry->task_id, ret_entry->path_task);
	set_status(ret_entry, "unknown");
}

static const char *
file_name(const struct discovery *d, int file)
{
	const struct settings *s = &d->instance->settings;

	if (file == REGISTRY_EVENTS)
		return s->storage.files.events;
	return file == REGISTRY_STDOUT ? s->storage.files.stdout_log : s->storage.files.stderr_log;
}

/* How much there is of the run's files. Not known if one of them cannot be looked at. */
static void
look_at_files(struct discovery *d, const char *path, int dir_fd, struct registry_ending *ret_ending)
{
	*ret_ending = (struct registry_ending){ .is_known = true };
	for (int i = 0; i < REGISTRY_FILES; i++) {
		struct statx file;
		int error = call_statx(d, path, dir_fd, file_name(d, i), STATX_TYPE | STATX_SIZE |
		                       STATX_MTIME | FILE_IDENTITY_MASK, &file);

		if (error) {
			ret_ending->is_known &= is_gone(error);
		} else if (S_ISREG(file.stx_mode)) {
			int64_t written_ms = file.stx_mtime.tv_sec * 1000;

			if (written_ms > ret_ending->written_ms)
				ret_ending->written_ms = written_ms;
			ret_ending->files[i].bytes = file.stx_size;
			ret_ending->files[i].identity = file_identity(&file);
		}
	}
}

/* What they are known by, should the run go on. */
static void
take_fingerprints(struct discovery *d, const char *path, int dir_fd, struct registry_ending *ending)
{
	for (int i = 0; i < REGISTRY_FILES; i++)
		if (ending->files[i].bytes > 0)
			(void)call_fingerprint(d, path, dir_fd, file_name(d, i), ending->files[i].bytes,
			                       &ending->files[i].fingerprint);
}

/* Of a run that was over, and is. */
static void
note_more(struct registry_ending *ending, const struct registry_ending *now)
{
	for (int i = 0; i < REGISTRY_FILES; i++)
		ending->is_outdated |= now->files[i].bytes != ending->files[i].bytes ||
		                       now->files[i].identity != ending->files[i].identity;
	if (ending->is_outdated && ending->written_ms < now->written_ms)
		ending->written_ms = now->written_ms;
}

/* Whether it would be the same the next time, as long as the file does not change. */
static bool
is_of_content(int error)
{
	return error == -EBADMSG || error == -EPROTONOSUPPORT || error == -EFBIG || error == -ENXIO ||
	       error == -EISDIR || error == -ELOOP;
}

bool
info_read(struct discovery *d, int dir_fd, const char *path, struct registry_run *entry,
          struct info_seen *ret_seen)
{
	const char *name = d->instance->settings.storage.files.run_info;
	/* One that was over and is may have gone on in between, without our seeing it: what there was
	 * at the end that we saw is what those who come for what is new have. */
	bool keeps_ending = entry->is_terminal && entry->ending.is_known;
	struct registry_ending ending;
	struct run_info info;
	struct stat st;
	int error;

	/* Looked at before it is read: if it changes in between, the next look reads it again. */
	error = call_stat(d, path, dir_fd, name, &st);
	if (error) {
		*ret_seen = (struct info_seen){ 0 };
		return !is_for_now(error);
	}
	*ret_seen = (struct info_seen){ .ino = st.st_ino, .mtime_ns = mtime_ns(&st),
		                        .bytes = st.st_size,
		                        .is_racy = is_racy(&st, clock_wall_ms()) };
	/* Before it is read as well: a run that is over then was not going on again when its files
	 * were looked at, so nothing that it writes later was there. */
	look_at_files(d, path, dir_fd, &ending);
	/* Of those that were over long before anybody looked, which may be a million, nothing is read: they
	 * are known by their identity and size alone. */
	if (!keeps_ending && (entry->version > 0 || ending.written_ms >= clock_wall_ms() - RECENT_MS))
		take_fingerprints(d, path, dir_fd, &ending);
	error = call_read_info(d, path, dir_fd, &info);
	if (error == 0) {
		apply_info(entry, &info);
		if (entry->is_terminal && keeps_ending)
			note_more(&entry->ending, &ending);
		else if (entry->is_terminal)
			entry->ending = ending;
		run_info_fini(&info);
	} else if (is_of_content(error)) {
		info_failed(entry, path, error, ret_seen->is_racy);
	} else if (error != -ENOENT) {
		/* What is in it is not known: it is read again at the next look. */
		ret_seen->is_racy = true;
		d->counters->faults[COUNTERS_FAULT_READ]++;
		d->info_error = -error;
	}
	return error == 0 || is_of_content(error) || !is_for_now(error);
}
