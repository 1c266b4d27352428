/*
 * Replays inputs through a fuzz target that is built without libFuzzer: the files and folders
 * given, or those of $srcdir/tests/fuzz/seeds/x for a program named fuzz_x. Fails when there
 * are none. Each input lies in a block of its exact size, so that valgrind and the sanitizers
 * see what is read beyond it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { LARGEST = 16 * 1024 * 1024 };

static size_t replayed;

static void
fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
replay_file(const char *path, int fd, size_t size)
{
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (!data || read(fd, data, size) != (ssize_t)size)
		fail(path);
	/* On stderr first, so that the log of a crash names its input. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static void
replay(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(path);
	if (S_ISDIR(st.st_mode)) {
		DIR *dir = fdopendir(fd);
		struct dirent *entry;

		if (!dir)
			fail(path);
		while ((entry = readdir(dir)) != NULL) {
			char inner[PATH_MAX];

			if (entry->d_name[0] == '.')
				continue;
			if (snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >=
			    (int)sizeof(inner)) {
				errno = ENAMETOOLONG;
				fail(path);
			}
			replay(inner);
		}
		closedir(dir);
		return;
	}
	if (st.st_size > LARGEST) {
		errno = EFBIG;
		fail(path);
	}
	replay_file(path, fd, (size_t)st.st_size);
	close(fd);
}

int
main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			replay(argv[i]);
	} else {
		const char *srcdir = getenv("srcdir"), *name = strrchr(argv[0], '/');
		char path[PATH_MAX];

		name = name ? name + 1 : argv[0];
		if (strncmp(name, "fuzz_", 5) == 0)
			name += 5;
		snprintf(path, sizeof(path), "%s/tests/fuzz/seeds/%s", srcdir ? srcdir : ".", name);
		replay(path);
	}
	fprintf(stderr, "%zu inputs\n", replayed);
	return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
