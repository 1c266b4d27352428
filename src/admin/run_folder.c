#include "admin/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { MOST_ATTEMPTS = 100 };

static int explain(char *to, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int
explain(char *to, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to, RUN_FOLDER_ERROR_BYTES, format, args);
	va_end(args);
	return error;
}

void
run_folder_generate_id(int64_t wall_ms, pid_t pid, unsigned attempt,
                       char ret_id[static RUN_ID_BYTES + 1])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };
	char stamp[32];

	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	if (attempt > 1)
		snprintf(ret_id, RUN_ID_BYTES + 1, "%s-%ld-%u", stamp, (long)pid, attempt);
	else
		snprintf(ret_id, RUN_ID_BYTES + 1, "%s-%ld", stamp, (long)pid);
}

/* A name that discovery would find: folders that begin with a dot are others' business. */
static int
check_name(const char *what, const char *name, char *ret_error)
{
	if (run_id_valid(name, strlen(name)) && name[0] != '.')
		return 0;
	return explain(ret_error, -EINVAL,
	               "%s must be a name of 1 to %d bytes of UTF-8, without slashes and control "
	               "characters, and must not begin with a dot", what, RUN_ID_BYTES);
}

/* Goes into a folder beneath *fd, makes it if it is missing, and replaces *fd. */
static int
descend(int *fd, const char *name)
{
	int below;

	if (mkdirat(*fd, name, 0777) < 0 && errno != EEXIST)
		return -errno;
	below = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below < 0)
		return -errno;
	fd_close(fd);
	*fd = below;
	return 0;
}

static int
make_run(int parent_fd, const char *run_id, struct run_folder *folder)
{
	unsigned attempt = 1;

	for (;;) {
		if (run_id)
			snprintf(folder->run_id, sizeof(folder->run_id), "%s", run_id);
		else
			run_folder_generate_id(clock_wall_ms(), getpid(), attempt, folder->run_id);
		if (mkdirat(parent_fd, folder->run_id, 0777) == 0)
			break;
		if (run_id || errno != EEXIST || attempt++ == MOST_ATTEMPTS)
			return -errno;
	}
	folder->fd = openat(parent_fd, folder->run_id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return folder->fd < 0 ? -errno : 0;
}

int
run_folder_make(const char *runs_dir, const char *project, const char *task, const char *run_id,
                struct run_folder *ret_folder, char ret_error[static RUN_FOLDER_ERROR_BYTES])
{
	struct run_folder folder = { .fd = -1 };
	char *root = NULL;
	int fd = -1, r = 0;

	if (run_id)
		r = check_name("a run id", run_id, ret_error);
	if (r == 0 && project)
		r = check_name("a project", project, ret_error);
	if (r == 0 && task)
		r = check_name("a task", task, ret_error);
	if (r < 0)
		return r;

	root = realpath(runs_dir, NULL);
	if (root)
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = explain(ret_error, -errno, "cannot open the runs directory %s: %s", runs_dir,
		            strerror(errno));
		goto out;
	}
	if (project) {
		r = descend(&fd, project);
		if (r == 0)
			r = descend(&fd, task);
		if (r == 0)
			r = descend(&fd, "runs");
		if (r < 0) {
			explain(ret_error, r, "cannot make %s/%s/%s/runs: %s", root, project, task,
			        strerror(-r));
			goto out;
		}
	}
	r = make_run(fd, run_id, &folder);
	if (r == -EEXIST) {
		explain(ret_error, r, "there is a run %s already, or something else of that name, in %s",
		        folder.run_id, root);
	} else if (r == 0) {
		int n = project ? asprintf(&folder.path, "%s/%s/%s/runs/%s", root, project, task, folder.run_id)
		                : asprintf(&folder.path, "%s/%s", root, folder.run_id);

		if (n < 0) {
			folder.path = NULL;
			r = -ENOMEM;
		}
	}
	if (r < 0 && r != -EEXIST)
		explain(ret_error, r, "cannot make the folder of run %s in %s: %s", folder.run_id, root,
		        strerror(-r));
out:
	fd_close(&fd);
	free(root);
	if (r < 0)
		run_folder_fini(&folder);
	else
		*ret_folder = folder;
	return r;
}

void
run_folder_fini(struct run_folder *folder)
{
	fd_close(&folder->fd);
	free(folder->path);
	folder->path = NULL;
}
