/* Message buses: finding them in folders of projects and tasks, giving them to their registry. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/state.h"
#include "shm/registry_bus.h"

/* Buses that no folder stands for have their turn in this time: see settle(). */
enum { SWEEP_WHOLE_MS = 300000 };

int
buses_start(struct discovery *d)
{
	int error = registry_writer_open(d->instance->buses_fd, &d->bus_writer);

	if (error)
		return error;
	d->buses = registry_writer_view(d->bus_writer);
	d->bus_folders = calloc(registry_capacity(d->buses), sizeof(struct folder *));
	return d->bus_folders ? 0 : -ENOMEM;
}

void
buses_stop(struct discovery *d)
{
	free(d->bus_folders);
	registry_writer_close(&d->bus_writer);
}

/* --- finding one -------------------------------------------------------------------------------- */

static bool
is_regular(struct discovery *d, const char *folder_path, int dir_fd, const char *path)
{
	struct stat st;

	return call_stat(d, folder_path, dir_fd, path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Most of the times there is none: that takes one call. */
static bool
has_file(struct discovery *d, const struct folder *folder)
{
	const struct settings *s = &d->instance->settings;
	const char *name = folder->kind == FOLDER_TOP ? s->storage.files.project_bus
	                                              : s->storage.files.task_bus;
	char path[PATH_BYTES_MAX], file[2 * PATH_BYTES_MAX];
	bool found;
	int fd;

	path_of_folder(folder, path);
	snprintf(file, sizeof(file), "%s/%s", path, name);
	if (!is_regular(d, path, d->root_fd, file) || call_open(d, path, &fd) != 0)
		return false;
	found = is_regular(d, path, fd, name); /* and no link on the way has led there */
	call_close(&fd);
	return found;
}

static void
refuse(struct folder *folder, const struct registry_run *bus, const struct registry_run *first)
{
	char path[REGISTRY_BUS_PATH_BYTES], first_path[REGISTRY_BUS_PATH_BYTES];

	if (!folder->bus_is_refused)
		log_warning("bus_id_taken", "bus=%s kept=\"%.*s\" ignored=\"%.*s\"", bus->run_id,
		            (int)registry_bus_path(first, first_path, sizeof(first_path)),
		            first_path, (int)registry_bus_path(bus, path, sizeof(path)), path);
	folder->bus_is_refused = true;
}

static void
say_failure(struct discovery *d, const struct registry_run *bus, int error)
{
	d->counters->faults[COUNTERS_FAULT_REGISTRY_FULL] += error == -ENOSPC || error == -ENOMEM;
	if (d->buses_failure_was_said)
		return;
	d->buses_failure_was_said = true;
	if (error == -ENOSPC)
		log_error("buses_full", "project=\"%s\" task=\"%s\" max_buses=%u hint=\"raise "
		          "storage.max_buses, or give more memory\"", bus->path_project,
		          bus->path_task, registry_capacity(d->buses));
	else
		log_error("buses_failed", "project=\"%s\" task=\"%s\" error=\"%s\"",
		          bus->path_project, bus->path_task, strerror(-error));
}

static void
stand_for(struct discovery *d, struct folder *folder, uint32_t slot)
{
	folder->bus = slot + 1;
	folder->bus_is_refused = false;
	d->bus_folders[slot] = folder;
}

/* The file may be missing just now, between a rotation and the next message. */
static bool
take_over(struct discovery *d, struct folder *folder, const struct registry_run *bus)
{
	struct registry_run known;

	if (registry_bus_find(d->buses, bus->path_project, bus->path_task, &known) != 0 ||
	    known.is_deleted)
		return false;
	stand_for(d, folder, known.slot);
	return true;
}

static void
add(struct discovery *d, struct folder *folder, struct registry_run *bus)
{
	struct registry_run known;
	uint32_t slot;
	int error;

	bus->first_seen_ms = clock_wall_ms();
	if (registry_find(d->buses, bus->run_id, &known) == 0) {
		bool is_same = strcmp(known.path_project, bus->path_project) == 0 &&
		               strcmp(known.path_task, bus->path_task) == 0;

		if (!is_same && !known.is_deleted) {
			refuse(folder, bus, &known);
			return;
		}
		if (is_same)
			bus->first_seen_ms = known.first_seen_ms;
	}
	error = registry_writer_put(d->bus_writer, bus, &slot, NULL);
	if (error) {
		say_failure(d, bus, error);
		return;
	}
	stand_for(d, folder, slot);
	bells_ring(d, false);
}

void
buses_look(struct discovery *d, struct folder *folder)
{
	bool is_task = folder->kind == FOLDER_TASK, is_first = !d->is_settled;
	struct registry_run bus;

	/* Without a file only an earlier discovery knows of a bus. */
	if (folder->kind == FOLDER_ROOT || folder->bus != 0 || (!is_first && !has_file(d, folder)))
		return;
	registry_bus_init(&bus, is_task ? folder->parent->name : folder->name,
	                  is_task ? folder->name : "");
	if (is_first && (take_over(d, folder, &bus) || !has_file(d, folder)))
		return;
	add(d, folder, &bus);
}

/* --- their end ---------------------------------------------------------------------------------- */

void
buses_delete(struct discovery *d, struct folder *folder)
{
	if (folder->bus == 0)
		return;
	registry_writer_mark_deleted(d->bus_writer, folder->bus - 1);
	d->bus_folders[folder->bus - 1] = NULL;
	folder->bus = 0;
	/* There is room for another. */
	if (d->buses_failure_was_said)
		d->must_list_all = true;
	d->buses_failure_was_said = false;
}

/* A bus of an earlier discovery that was not found: deleted, unless it only cannot be listed. */
static void
settle(struct discovery *d, uint32_t slot)
{
	char path[REGISTRY_BUS_PATH_BYTES];
	struct registry_run bus;
	int error, fd;

	if (d->bus_folders[slot] || registry_at(d->buses, slot, &bus) != 0 || bus.is_deleted)
		return;
	registry_bus_path(&bus, path, sizeof(path));
	error = call_open(d, path, &fd);
	if (!error)
		call_close(&fd);
	else if (is_gone(error))
		registry_writer_mark_deleted(d->bus_writer, slot);
}

void
buses_settle(struct discovery *d)
{
	uint32_t count = registry_count(d->buses);

	for (uint32_t slot = 0; slot < count; slot++)
		settle(d, slot);
}

void
buses_sweep(struct discovery *d, int64_t elapsed_ms)
{
	uint32_t count = registry_count(d->buses);
	int64_t most = (int64_t)count * elapsed_ms / SWEEP_WHOLE_MS + 1;

	for (; most > 0 && count > 0; most--)
		settle(d, d->bus_sweep_next++ % count);
	d->bus_sweep_next %= count > 0 ? count : 1;
}
