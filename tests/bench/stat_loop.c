/* What it costs at the least to ask for so many files, as discovery does without inotify: a bare loop
 * of calls with the paths of standard input, one a line, beneath a folder. Prints nanoseconds of
 * processor time for the whole of them: the median of some rounds. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { ROUNDS = 9 };

static int64_t
spent_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	int64_t took_ns[ROUNDS];
	size_t count = 0, capacity = 0, size = 0;
	char **paths = NULL, *line = NULL;
	int root = argc == 2 ? open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (root < 0) {
		fprintf(stderr, "usage: stat_loop FOLDER <PATHS\n");
		return 2;
	}
	while (getline(&line, &size, stdin) > 0) {
		if (count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 1024;
			paths = realloc(paths, capacity * sizeof(*paths));
			if (!paths)
				return 1;
		}
		line[strcspn(line, "\n")] = '\0';
		paths[count] = strdup(line);
		if (!paths[count++])
			return 1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		int64_t before_ns = spent_ns();

		for (size_t i = 0; i < count; i++) {
			struct stat st;

			if (fstatat(root, paths[i], &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) {
				perror(paths[i]);
				return 1;
			}
		}
		took_ns[round] = spent_ns() - before_ns;
	}
	qsort(took_ns, ROUNDS, sizeof(took_ns[0]), compare);
	printf("%jd\n", (intmax_t)took_ns[ROUNDS / 2]);
	return 0;
}
