#include "kept_state.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct kept_state {
	size_t count;
	struct {
		char name[64];
		char *bytes;
		size_t length;
	} files[64];
};

static void
keep_file(struct kept_state *kept, int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY);
	struct stat stat;

	ck_assert_uint_lt(kept->count, sizeof(kept->files) / sizeof(kept->files[0]));
	ck_assert_uint_lt(strlen(name), sizeof(kept->files[0].name));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	kept->files[kept->count].bytes = malloc((size_t)stat.st_size + 1);
	ck_assert_ptr_nonnull(kept->files[kept->count].bytes);
	/* (A helper may be adding to it.) */
	ck_assert_int_eq(read(fd, kept->files[kept->count].bytes, (size_t)stat.st_size), stat.st_size);
	kept->files[kept->count].length = (size_t)stat.st_size;
	strcpy(kept->files[kept->count++].name, name);
	fd_close(&fd);
}

static void
remove_file(struct kept_state *kept, int dir_fd, const char *name)
{
	(void)kept;
	ck_assert_int_eq(unlinkat(dir_fd, name, 0), 0);
}

static void
restore_files(const struct kept_state *kept, int dir_fd)
{
	for (size_t i = 0; i < kept->count; i++) {
		int fd = openat(dir_fd, kept->files[i].name, O_WRONLY | O_CREAT | O_EXCL, 0600);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fd_write_all(fd, kept->files[i].bytes, kept->files[i].length), 0);
		fd_close(&fd);
	}
}

/* Calls for each file there. */
static void
each_file(struct kept_state *kept, DIR *directory,
          void (*visit)(struct kept_state *kept, int dir_fd, const char *name))
{
	struct dirent *entry;

	ck_assert_ptr_nonnull(directory);
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			visit(kept, dirfd(directory), entry->d_name);
}

struct kept_state *
kept_state_new(const char *directory)
{
	struct kept_state *kept = calloc(1, sizeof(*kept));
	DIR *dir = opendir(directory);

	ck_assert_ptr_nonnull(kept);
	each_file(kept, dir, keep_file);
	closedir(dir);
	return kept;
}

void
kept_state_restore(struct kept_state **kept, const char *directory)
{
	DIR *dir;

	if (!*kept)
		return;
	dir = opendir(directory);
	each_file(*kept, dir, remove_file);
	restore_files(*kept, dirfd(dir));
	closedir(dir);
	for (size_t i = 0; i < (*kept)->count; i++)
		free((*kept)->files[i].bytes);
	free(*kept);
	*kept = NULL;
}
