#include "shm/registry_bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "model/bus_id.h"

void
registry_bus_init(struct registry_run *ret_bus, const char *project, const char *task)
{
	*ret_bus = (struct registry_run){ .exit_code = -1 };
	bus_id_make(project, task, ret_bus->run_id);
	snprintf(ret_bus->path_project, sizeof(ret_bus->path_project), "%s", project);
	snprintf(ret_bus->path_task, sizeof(ret_bus->path_task), "%s", task);
	strcpy(ret_bus->project_id, ret_bus->path_project);
	strcpy(ret_bus->task_id, ret_bus->path_task);
}

int
registry_bus_find(const struct registry *buses, const char *project, const char *task,
                  struct registry_run *ret_bus)
{
	struct registry_run bus;
	char id[BUS_ID_BYTES + 1];
	int error;

	if (strnlen(project, REGISTRY_NAME_BYTES + 1) > REGISTRY_NAME_BYTES ||
	    strnlen(task, REGISTRY_NAME_BYTES + 1) > REGISTRY_NAME_BYTES)
		return -ENOENT;
	bus_id_make(project, task, id);
	error = registry_find(buses, id, &bus);
	if (error)
		return error;
	if (strcmp(bus.path_project, project) != 0 || strcmp(bus.path_task, task) != 0)
		return -ENOENT; /* another's, of the same hash */
	*ret_bus = bus;
	return 0;
}

size_t
registry_bus_path(const struct registry_run *bus, char *ret_path, size_t capacity)
{
	must(capacity >= REGISTRY_BUS_PATH_BYTES);
	return (size_t)snprintf(ret_path, capacity, "%s%s%s", bus->path_project,
	                        bus->path_task[0] != '\0' ? "/" : "", bus->path_task);
}
