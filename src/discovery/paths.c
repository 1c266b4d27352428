/* Where things lie, beneath the runs directory. */
#include <stdio.h>

#include "discovery/state.h"

void
path_of_folder(const struct folder *folder, char path[static PATH_BYTES_MAX])
{
	if (folder->kind == FOLDER_ROOT)
		snprintf(path, PATH_BYTES_MAX, ".");
	else if (folder->kind == FOLDER_TOP)
		snprintf(path, PATH_BYTES_MAX, "%s", folder->name);
	else
		snprintf(path, PATH_BYTES_MAX, "%s/%s", folder->parent->name, folder->name);
}

void
path_of_listed(const struct folder *folder, char path[static PATH_BYTES_MAX])
{
	if (folder->kind == FOLDER_TASK)
		snprintf(path, PATH_BYTES_MAX, "%s/%s/runs", folder->parent->name, folder->name);
	else
		path_of_folder(folder, path);
}

void
path_of_name(const struct folder *folder, const char *name, char path[static 2 * PATH_BYTES_MAX])
{
	char listed[PATH_BYTES_MAX];

	path_of_listed(folder, listed);
	if (folder->kind == FOLDER_ROOT)
		snprintf(path, 2 * PATH_BYTES_MAX, "%s", name);
	else
		snprintf(path, 2 * PATH_BYTES_MAX, "%s/%s", listed, name);
}

void
path_of_run(const struct folder *folder, const char *name, char path[static PATH_BYTES_MAX])
{
	if (folder->kind == FOLDER_TASK)
		snprintf(path, PATH_BYTES_MAX, "%s/%s/runs/%s", folder->parent->name, folder->name,
		         name);
	else
		snprintf(path, PATH_BYTES_MAX, "%s", name);
}
