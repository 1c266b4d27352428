#include "supervisor/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int
complain(struct buf *sentence, int error, const char *path, const char *what)
{
	buf_printf(sentence, "server.state_dir: %s: %s", path, what);
	return error;
}

/* Whoever is to write there. */
static int
give(int fd, const struct privileges *privileges, const struct stat *status)
{
	if (!privileges->changes_user || status->st_uid == privileges->user)
		return 0;
	return fchown(fd, privileges->user, privileges->group) < 0 ? -errno : 0;
}

int
state_dir_open(const struct settings *settings, const struct privileges *privileges, int *ret_fd,
               struct buf *sentence)
{
	char path[PATH_MAX];
	struct stat status;
	int fd, error;

	if (*settings->server.state_dir)
		snprintf(path, sizeof(path), "%s", settings->server.state_dir);
	else
		snprintf(path, sizeof(path), "%s/" STATE_DIR_NAME, settings->server.runtime_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return complain(sentence, -errno, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return complain(sentence, -errno, path, "must be a directory, and not a symbolic link to one");
	if (fd < 0)
		return complain(sentence, -errno, path, strerror(errno));
	if (fstat(fd, &status) < 0)
		error = complain(sentence, -errno, path, strerror(errno));
	else if (status.st_uid != geteuid() &&
	         !(privileges->changes_user && status.st_uid == privileges->user))
		error = complain(sentence, -EPERM, path, "belongs to another user");
	else if (status.st_mode & (S_IWGRP | S_IWOTH))
		error = complain(sentence, -EPERM, path, "others may write to it");
	else if ((error = give(fd, privileges, &status)) < 0)
		error = complain(sentence, error, path, strerror(-error));
	if (error)
		fd_close(&fd);
	else
		*ret_fd = fd;
	return error;
}
