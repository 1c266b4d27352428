#include "worker/runs_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct runs_root {
	struct loop *loop;
	struct offload *offload;
	const struct settings *settings;
	runs_root_changed_fn *fn;
	void *arg;
	int fd;
	struct loop_timer timer;
	struct offload_job job;
	/* The job's, while it is away: */
	char path[SETTINGS_TEXT_BYTES + 1];
	int found_fd; /* another directory; or -1 */
};

static void begin(void *arg);

static bool
is_same(int a, int b)
{
	struct stat st_a, st_b;

	return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

/* While it is missing, or closed to whom we have become, what there was is kept: it may be the one
 * that the supervisor opened as root. */
static void
look(struct offload_job *job)
{
	struct runs_root *root = (struct runs_root *)(void *)((char *)job - offsetof(struct runs_root, job));

	root->found_fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->found_fd >= 0 && is_same(root->found_fd, root->fd))
		fd_close(&root->found_fd);
}

static void
looked(struct offload_job *job)
{
	struct runs_root *root = (struct runs_root *)(void *)((char *)job - offsetof(struct runs_root, job));
	bool changed = false;

	if (root->found_fd >= 0 && !job->is_dropped)
		changed = dup3(root->found_fd, root->fd, O_CLOEXEC) >= 0;
	fd_close(&root->found_fd);
	if (job->is_dropped)
		return;
	loop_timer_set(root->loop, &root->timer, root->settings->api.sse.discovery_interval_ms, begin,
	               root);
	if (changed)
		root->fn(root->arg);
}

static void
begin(void *arg)
{
	struct runs_root *root = arg;

	snprintf(root->path, sizeof(root->path), "%s", root->settings->storage.runs_dir);
	offload_submit(root->offload, &root->job, look, looked);
}

int
runs_root_new(struct loop *loop, struct offload *offload, const struct settings *settings, int fd,
              runs_root_changed_fn *fn, void *arg, struct runs_root **ret_root)
{
	struct runs_root *root = calloc(1, sizeof(*root));

	if (!root)
		return -ENOMEM;
	*root = (struct runs_root){ .loop = loop, .offload = offload, .settings = settings, .fn = fn,
		                    .arg = arg, .found_fd = -1 };
	/* Beneath what is no directory there is nothing. */
	root->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : open("/dev/null", O_PATH | O_CLOEXEC);
	if (root->fd < 0) {
		int error = -errno;

		free(root);
		return error;
	}
	begin(root);
	*ret_root = root;
	return 0;
}

void
runs_root_free(struct runs_root **root)
{
	if (!*root)
		return;
	loop_timer_stop((*root)->loop, &(*root)->timer);
	fd_close(&(*root)->fd);
	free(*root);
	*root = NULL;
}

int
runs_root_fd(const struct runs_root *root)
{
	return root->fd;
}
