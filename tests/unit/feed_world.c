#include "feed_world.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "shm/registry_bus.h"

static const char *const log_names[CURSOR_FILES] = { "agent-stdout.txt", "agent-stderr.txt" };

void
world_init(struct world *w, struct fixture *f, enum world_kind kind, uint64_t seed)
{
	*w = (struct world){ .f = f, .kind = kind, .files = kind == WORLD_LOGS ? CURSOR_FILES : 1,
		             .seed = seed * 0x9e3779b97f4a7c15 + 1,
		             .is_traced = getenv("FEED_RESUME_SEED") != NULL };
}

unsigned
world_below(struct world *w, unsigned limit)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (unsigned)((w->seed >> 20) % limit);
}

/* --- files ------------------------------------------------------------------------------------------------ */

static void
folder_of(const struct world *w, const struct run *run, char path[static 64])
{
	snprintf(path, 64, "%s%s", w->kind == WORLD_MESSAGES ? "p/" : "", run->id);
}

static void
path_of(const struct world *w, const struct run *run, int file, char path[static 128])
{
	char folder[64];

	folder_of(w, run, folder);
	snprintf(path, 128, "%s/%s", folder,
	         w->kind == WORLD_LOGS     ? log_names[file]
	         : w->kind == WORLD_EVENTS ? "events.jsonl"
	                                   : "TASK-MESSAGE-BUS.md");
}

static void
put_entry(struct world *w, unsigned number, char *text, size_t size)
{
	static const char dots[] = "........................................";
	int length = (int)world_below(w, 40);

	switch (w->kind) {
	case WORLD_LOGS:
		snprintf(text, size, "%u %.*s\n", number, length, dots);
		break;
	case WORLD_EVENTS:
		snprintf(text, size, "{\"type\":\"unit.started\",\"number\":\"%u\",\"unit\":\"%.*s\"}\n", number,
		         length, dots);
		break;
	case WORLD_MESSAGES:
		snprintf(text, size, "---\nmsg_id: MSG-20260204-183042-%09u-PID00001-0001\nts: 2026-02-04T18:30:42Z\n"
		         "type: INFO\nproject_id: p\n---\n%u %.*s\n", number, number, length, dots);
		break;
	}
}

void
world_write(struct world *w, struct run *run, int file, unsigned count)
{
	char path[128], entry[300];

	path_of(w, run, file, path);
	TRACE(w, "%s: %u more than %u\n", path, count, run->lines[file]);
	for (; count > 0 && run->lines[file] < MOST_LINES; count--) {
		put_entry(w, run->lines[file]++, entry, sizeof(entry));
		fixture_append(w->f, path, entry);
	}
}

static bool
name_archive(struct world *w, struct run *run, int file, char path[static 128], char archive[static 160])
{
	if (run->lines[file] == run->of_file[file] || w->kind == WORLD_EVENTS)
		return false;
	path_of(w, run, file, path);
	if (w->kind == WORLD_MESSAGES)
		snprintf(archive, 160, "%s.20260204T1830%02u.archived", path, ++run->archives);
	else
		snprintf(archive, 160, "%s.%u", path, ++run->archives);
	return true;
}

bool
world_rotate(struct world *w, struct run *run, int file)
{
	char path[128], archive[160];

	if (!name_archive(w, run, file, path, archive))
		return false;
	TRACE(w, "%s rotated at %u\n", path, run->lines[file]);
	fixture_rename(w->f, path, archive);
	fixture_append(w->f, path, "");
	run->of_file[file] = run->lines[file];
	return true;
}

bool
world_copy_and_truncate(struct world *w, struct run *run, int file)
{
	char path[128], archive[160], *text;
	ssize_t length;
	int fd;

	if (w->kind != WORLD_LOGS || !name_archive(w, run, file, path, archive))
		return false;
	TRACE(w, "%s copied and emptied at %u\n", path, run->lines[file]);
	text = malloc(MOST_LINES * 64);
	ck_assert_ptr_nonnull(text);
	fd = openat(w->f->runs_dir_fd, path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	length = read(fd, text, MOST_LINES * 64);
	ck_assert_int_gt(length, 0);
	fd_close(&fd);
	fixture_write(w->f, archive, text, (size_t)length);
	free(text);
	fixture_truncate(w->f, path);
	run->of_file[file] = run->lines[file];
	run->is_copied = true;
	return true;
}

/* --- the registry ----------------------------------------------------------------------------------------- */

static void
put_bus(struct world *w, const struct run *run)
{
	struct registry_run bus;
	char folder[64];

	folder_of(w, run, folder);
	mkdirat(w->f->runs_dir_fd, "p", 0755);
	mkdirat(w->f->runs_dir_fd, folder, 0755);
	registry_bus_init(&bus, "p", run->id);
	ck_assert_int_eq(registry_writer_put(w->f->buses_writer, &bus, NULL, NULL), 0);
	hub_registry_changed(w->f->hub);
}

void
world_put(struct world *w, const struct run *run)
{
	TRACE(w, "%s is %s\n", run->id, run->is_deleted ? "deleted" : run->is_over ? "over" : "running");
	if (run->is_deleted)
		return;
	if (w->kind == WORLD_MESSAGES)
		put_bus(w, run);
	else
		fixture_put_run_of(w->f, run->id, run->task, run->is_over ? "completed" : "running",
		                   run->is_over ? 0 : -1);
}

void
world_add(struct world *w)
{
	struct run *run = &w->runs[w->run_count];

	if (w->run_count == MOST_RUNS)
		return;
	memset(run, 0, sizeof(*run));
	snprintf(run->id, sizeof(run->id), "run-%u", w->run_count);
	snprintf(run->task, sizeof(run->task), "t%u", w->has_tasks ? w->run_count % 2 : 0);
	w->run_count++;
	world_put(w, run);
	world_write(w, run, 0, world_below(w, 40));
}

void
world_end(struct world *w, struct run *run)
{
	run->is_over = true;
	world_put(w, run);
}

void
world_go_on(struct world *w, struct run *run)
{
	run->is_over = false;
	world_put(w, run);
}

void
world_delete(struct world *w, struct run *run)
{
	char folder[64];
	struct dirent *entry;
	DIR *directory;
	int fd;

	if (w->kind == WORLD_MESSAGES)
		return;
	TRACE(w, "%s is deleted\n", run->id);
	folder_of(w, run, folder);
	fd = openat(w->f->runs_dir_fd, folder, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	directory = fdopendir(fd);
	ck_assert_ptr_nonnull(directory);
	while ((entry = readdir(directory)) != NULL)
		(void)unlinkat(fd, entry->d_name, 0);
	closedir(directory);
	ck_assert_int_eq(unlinkat(w->f->runs_dir_fd, folder, AT_REMOVEDIR), 0);
	run->is_deleted = true;
	ck_assert_int_eq(registry_writer_mark_deleted(w->f->writer, fixture_run(w->f, run->id).slot), 0);
	hub_registry_changed(w->f->hub);
}

/* --- events ------------------------------------------------------------------------------------------------- */

unsigned
world_run_of(const struct world *w, const struct read_event *e)
{
	const char *id = event_text(e, w->kind == WORLD_MESSAGES ? "task_id" : "run_id");

	if (!*id)
		id = event_text(e, "id");
	for (unsigned i = 0; i < w->run_count; i++)
		if (strcmp(w->runs[i].id, id) == 0)
			return i;
	ck_abort_msg("no such run: '%s' of a %s", id, e->name);
	return 0;
}

bool
world_is_entry(const struct world *w, const struct read_event *e, int *ret_file, unsigned *ret_number)
{
	static const char *const names[] = { [WORLD_LOGS] = "log", [WORLD_EVENTS] = "event",
		                             [WORLD_MESSAGES] = "message" };
	static const char *const keys[] = { [WORLD_LOGS] = "line", [WORLD_EVENTS] = "number",
		                            [WORLD_MESSAGES] = "body" };

	if (strcmp(e->name, names[w->kind]) != 0)
		return false;
	ck_assert(!event_flag(e, "partial"));
	*ret_file = strcmp(event_text(e, "stream"), "stderr") == 0;
	*ret_number = (unsigned)strtoul(event_text(e, keys[w->kind]), NULL, 10);
	return true;
}

bool
world_is_status(const struct world *w, const struct read_event *e)
{
	return strcmp(e->name, w->kind == WORLD_EVENTS ? "state" : "status") == 0;
}
