#include "follow/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"

/* One turn reads this much at most, so that a flood of events leaves room for clients. */
enum { SLICE_BYTES = 64 * 1024 };

struct watch {
	struct loop *loop;
	struct loop_fd loop_fd;
	int fd;
	struct watched_directory *directories; /* by descriptor */
	uint64_t overflows;
};

static struct watched_directory *
find(struct watch *watch, int descriptor)
{
	struct watched_directory *directory;

	HASH_FIND_INT(watch->directories, &descriptor, directory);
	return directory;
}

static void
tell_all(struct watch *watch)
{
	struct watched_directory *directory, *next;

	HASH_ITER (hh, watch->directories, directory, next)
		directory->fn(directory->arg, NULL);
}

static void
read_events(void *arg, uint32_t events)
{
	_Alignas(struct inotify_event) char bytes[SLICE_BYTES];
	struct watch *watch = arg;
	ssize_t length = read(watch->fd, bytes, sizeof(bytes));
	size_t at = 0;

	(void)events;
	while (length > 0 && at + sizeof(struct inotify_event) <= (size_t)length) {
		const struct inotify_event *event = (const void *)(bytes + at);
		struct watched_directory *directory;

		at += sizeof(*event) + event->len;
		if (event->mask & IN_Q_OVERFLOW) {
			watch->overflows++;
			tell_all(watch);
			continue;
		}
		directory = find(watch, event->wd);
		if (!directory)
			continue;
		if (event->mask & IN_MOVE_SELF) {
			/* What lies at its path is another one by now, and not watched. */
			watch_remove(watch, directory);
			directory->fn(directory->arg, NULL);
		} else if (event->mask & IN_IGNORED) {
			HASH_DEL(watch->directories, directory);
			directory->descriptor = -1;
			directory->fn(directory->arg, NULL);
		} else {
			directory->fn(directory->arg, event->len > 0 ? event->name : NULL);
		}
	}
}

int
watch_new(struct loop *loop, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int error;

	if (!watch)
		return -ENOMEM;
	watch->loop = loop;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		error = -errno;
		free(watch);
		return error;
	}
	error = loop_fd_add(loop, &watch->loop_fd, watch->fd, EPOLLIN, read_events, watch);
	if (error) {
		fd_close(&watch->fd);
		free(watch);
		return error;
	}
	*ret_watch = watch;
	return 0;
}

void
watch_free(struct watch **watch)
{
	if (!*watch)
		return;
	while ((*watch)->directories)
		watch_remove(*watch, (*watch)->directories);
	loop_fd_remove((*watch)->loop, &(*watch)->loop_fd);
	fd_close(&(*watch)->fd);
	free(*watch);
	*watch = NULL;
}

uint64_t
watch_overflows(const struct watch *watch)
{
	return watch->overflows;
}

int
watch_ask(struct watch *watch, int directory_fd)
{
	char path[64];
	int descriptor;

	/* Through /proc, so that what is watched is what was opened, symlinks or not. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", directory_fd);
	descriptor = inotify_add_watch(watch->fd, path,
	                               IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
	                                       IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF |
	                                       IN_ONLYDIR);
	return descriptor < 0 ? -errno : descriptor;
}

void
watch_add(struct watch *watch, struct watched_directory *directory, int descriptor,
          watched_name_fn *fn, void *arg)
{
	/* The kernel has one watch for an inode: a second owner of the same directory, by another
	 * path, is left to polling. */
	directory->descriptor = find(watch, descriptor) ? -1 : descriptor;
	directory->fn = fn;
	directory->arg = arg;
	if (directory->descriptor >= 0)
		HASH_ADD_INT(watch->directories, descriptor, directory);
}

void
watch_remove(struct watch *watch, struct watched_directory *directory)
{
	if (directory->descriptor < 0)
		return;
	HASH_DEL(watch->directories, directory);
	inotify_rm_watch(watch->fd, directory->descriptor);
	directory->descriptor = -1;
}
