/*
 * Opening what lies beneath the runs directory. Whoever may write there is not trusted with what
 * lies elsewhere: no symbolic link is followed and no ".." leads out (openat2(2): RESOLVE_BENEATH,
 * RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS; or, where that is missing, each folder on the way is
 * opened for itself), only regular files are read, and opening never
 * waits for another process, as it would with a FIFO.
 *
 * Any of this may hang as long as its mount does.
 */
#ifndef STORE_RUN_DIR_H
#define STORE_RUN_DIR_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Opens a folder by its path beneath the runs directory: O_PATH|O_DIRECTORY, or O_RDONLY|
 * O_DIRECTORY to list it. The descriptor is the caller's. -ELOOP: a symbolic link; -ENOTDIR;
 * -EXDEV: the path leads out; -ENOENT; other -errno.
 */
int run_dir_open(int runs_dir_fd, const char *relative_path, int *ret_fd);
int run_dir_open_list(int runs_dir_fd, const char *relative_path, int *ret_fd);

/*
 * Opens a regular file for reading, by its path beneath the folder; ret_stat may be NULL.
 * -EISDIR: a directory; -ENXIO: a FIFO, socket or device; -ELOOP: a symbolic link; -EXDEV: the
 * path leads out; -ENOENT; other -errno.
 */
int run_dir_open_file(int run_dir_fd, const char *name, struct stat *ret_stat, int *ret_fd);

/*
 * Opens a regular file for reading and appending (O_RDWR|O_APPEND), and makes it if there is none
 * (of mode 0666, less the umask). As run_dir_open_file().
 */
int run_dir_open_append(int run_dir_fd, const char *name, int *ret_fd);

/*
 * Opens a folder in this one, to list it, and makes it if there is none (of mode 0777, less the
 * umask). name: one component. ret_is_new may be NULL. As run_dir_open_list().
 */
int run_dir_make(int dir_fd, const char *name, bool *ret_is_new, int *ret_fd);

/* Syncs the entries of a folder, by any descriptor of it (fsync(2)). 0 or -errno. */
int run_dir_sync(int dir_fd);

#endif
