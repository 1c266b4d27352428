#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "follow/follower_state.h"
#include "follow/neighbours.h"
#include "store/file_fingerprint.h"
#include "store/run_dir.h"

/* There is nothing to be read at the path; other errors say nothing about it. */
static bool
means_nothing_there(int error)
{
	switch (-error) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:
	case ELOOP:
	case EXDEV:
	case EACCES:
	case EPERM:
	case ENAMETOOLONG:
		return true;
	default:
		return false;
	}
}

static void
note_error(struct look *look, int error)
{
	look->has_failed |= !means_nothing_there(error);
	/* What may not be opened is as good as missing, and yet worth a word. */
	if (look->has_failed || error == -EACCES || error == -EPERM)
		look->error = -error;
}

/* The same file, opened once more: the descriptor keeps its number, which others may be using. */
static void
renew(struct look *look, struct file_generation *g)
{
	if (__atomic_load_n(&g->is_stale, __ATOMIC_RELAXED) &&
	    dup3(look->found_fd, g->fd, O_CLOEXEC) >= 0)
		__atomic_store_n(&g->is_stale, false, __ATOMIC_RELAXED);
}

/* Opens what is at the path now, unless it is the current file. */
static void
find(struct look *look)
{
	struct file_generation *g = file_generation_of(look->current);
	int error = run_dir_open_file(look->runs_dir_fd, look->follower->path, &look->found_stat,
	                              &look->found_fd);

	if (error) {
		note_error(look, error);
	} else if (g->fd >= 0 && look->found_stat.st_dev == g->device &&
	           look->found_stat.st_ino == g->inode) {
		look->is_at_path = true; /* again */
		renew(look, g);
		fd_close(&look->found_fd);
	} else {
		look->is_at_path = false;
		look->found_file_system = file_system_of(look->found_fd);
	}
}

/* Asks for a watch of the directory; before the look, so that nothing falls between the two. */
static void
ask_watch(struct look *look)
{
	int directory_fd;

	if ((!look->watch && look->is_local) ||
	    run_dir_open(look->runs_dir_fd, look->follower->directory->path, &directory_fd) < 0)
		return;
	look->is_local = file_system_of(directory_fd) != FILE_SYSTEM_REMOTE;
	if (look->is_local && look->watch)
		look->watch_descriptor = watch_ask(look->watch, directory_fd);
	fd_close(&directory_fd);
}

static bool
has_come(const struct look *look)
{
	const struct file_generation *last;

	if (look->found_fd < 0 || look->coming_count == 0)
		return look->found_fd >= 0;
	last = file_generation_of(look->others[look->coming_count - 1].generation);
	return last->device != look->found_stat.st_dev || last->inode != look->found_stat.st_ino;
}

bool
look_path_has_directory_changed(int runs_dir_fd, const struct follower *f)
{
	struct stat directory;

	return fstatat(runs_dir_fd, f->directory->path, &directory, AT_SYMLINK_NOFOLLOW) == 0 &&
	       beside_has_changed(&f->beside, &directory);
}

/* What was at the path between the last file that was seen there and what is there now. */
static void
find_between(struct look *look)
{
	struct follower *f = look->follower;
	struct beside_open open[SUCCESSION_MOST_COMING + 2];
	struct cursor_mark coming[SUCCESSION_MOST_COMING];
	struct beside_files files = { .open = open, .known = { .mark = look->known, .coming = coming,
		                                               .coming_count = look->coming_count,
		                                               .passed = &look->passed } };
	size_t count = 0;
	int error;

	if (!look->is_to_list && !has_come(look) && !look_path_has_directory_changed(look->runs_dir_fd, f))
		return;
	if (look->found_fd >= 0)
		open[count++] = (struct beside_open){ look->found_fd, look->found_stat };
	for (size_t i = 0; i < look->coming_count; i++)
		coming[i] = (struct cursor_mark){ .offset = look->others[i].known.to,
			                          .fingerprint = look->others[i].known.fingerprint };
	for (size_t i = 0; i <= look->coming_count; i++) {
		int fd = file_generation_of(i == 0 ? look->current : look->others[i - 1].generation)->fd;

		if (fd >= 0 && fstat(fd, &open[count].stat) == 0)
			open[count++].fd = fd;
	}
	/* What comes need not be in the order of times: one of them may be at the path. */
	files.count = count;
	files.earlier_count = count - (look->found_fd >= 0);
	if (files.earlier_count > look->coming_count && files.earlier_count > 1)
		files.earlier_count = look->coming_count;
	error = beside_find(&f->beside, look->runs_dir_fd, f->directory->path, f->name, &files, &look->between);
	if (error && !means_nothing_there(error)) {
		/* Not what is there now without what was before. */
		fd_close(&look->found_fd);
		look->has_failed = true;
	}
}

bool
look_path_has_changed(uint64_t size_bytes, const struct timespec *modified, const struct stat *stat)
{
	return file_generation_size(stat) != size_bytes || stat->st_mtim.tv_sec != modified->tv_sec ||
	       stat->st_mtim.tv_nsec != modified->tv_nsec;
}

/* Not what is there now without what was before. */
static void
fail(struct look *look)
{
	look->has_failed = true;
	look->stat.st_size = -1;
}

/* What the current file, which never left its path, held since the last look. */
static void
find_copies(struct look *look)
{
	struct follower *f = look->follower;
	struct beside_file file = {
		.path = f->path,
		.fd = file_generation_of(look->current)->fd,
		.stat = look->stat,
		.begun_ms = look->current->begun_ms,
		.known = { .mark = look->known, .passed = &look->passed },
	};
	int error = 0, holds = 0;

	if (!look->is_to_list && (!look_path_has_changed(look->size_bytes, &look->modified, &look->stat) ||
	                          !look_path_has_directory_changed(look->runs_dir_fd, f)))
		return;
	if (look->known.offset > 0 && !look->is_other)
		holds = neighbour_verify(file.fd, &look->known);
	if (holds < 0) {
		fail(look);
		return;
	}
	file.is_other = look->is_other || (look->known.offset > 0 && !holds);
	error = beside_find_copies(&f->beside, look->runs_dir_fd, f->directory->path, f->name, &file,
	                           &look->between);
	look->is_other = file.is_other;
	if (error == -ESTALE)
		find(look);
	if (error && !means_nothing_there(error) && look->is_at_path)
		fail(look);
}

static void
learn_known(int fd, const struct stat *stat, struct look_known *known)
{
	uint64_t fingerprint, to = known->to > 0 ? known->to : file_generation_size(stat);

	if (to == 0 || file_generation_size(stat) < to || file_fingerprint(fd, to, &fingerprint) < 0)
		return;
	known->is_other = known->to > 0 && fingerprint != known->fingerprint;
	known->to = to;
	known->fingerprint = fingerprint;
}

/* The others may have left the path as well, and grow. */
static void
look_at_others(struct look *look)
{
	for (size_t i = 0; i < look->other_count; i++) {
		int fd = file_generation_of(look->others[i].generation)->fd;

		if (fstat(fd, &look->others[i].stat) < 0)
			look->others[i].stat.st_size = -1;
		else if (i < look->coming_count)
			learn_known(fd, &look->others[i].stat, &look->others[i].known);
	}
	if (look->found_fd >= 0)
		learn_known(look->found_fd, &look->found_stat, &look->found_known);
}

void
look_path_see(struct look *look)
{
	struct follower *f = look->follower;
	struct file_generation *g = file_generation_of(look->current);
	bool was_listed = f->beside.is_listed;
	struct stat at_path;
	int error;

	ask_watch(look);
	if (!was_listed) {
		error = beside_note(&f->beside, look->runs_dir_fd, f->directory->path, f->name);
		look->has_failed = error && !means_nothing_there(error);
	}
	if (fstatat(look->runs_dir_fd, f->path, &at_path, AT_SYMLINK_NOFOLLOW) < 0) {
		note_error(look, -errno);
	} else if (S_ISREG(at_path.st_mode)) {
		look->is_at_path = g->fd >= 0 && at_path.st_dev == g->device && at_path.st_ino == g->inode;
		if (look->is_at_path)
			look->stat = at_path;
		if (!look->is_at_path || __atomic_load_n(&g->is_stale, __ATOMIC_RELAXED))
			find(look);
	}
	look->seen_ms = clock_wall_ms();
	if (look->is_at_path && look->stat.st_size >= 0 && was_listed && !look->has_failed)
		find_copies(look);
	if (!look->is_at_path && was_listed && !look->has_failed)
		find_between(look);
	/* After the path: what one writer wrote before it turned to the new file is seen. */
	if (!look->is_at_path || (look->stat.st_size < 0 && !look->has_failed))
		if (g->fd < 0 || fstat(g->fd, &look->stat) < 0)
			look->stat.st_size = -1;
	look_at_others(look);
}
