/* How long finding a run takes, in a small registry and in a large one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/num.h"
#include "shm/registry.h"
#include "shm/registry_writer.h"

enum { LOOKUPS = 2000000, ROUNDS = 20, ID_BYTES = 40 };

static void
make_run(uint32_t number, struct registry_run *ret_run)
{
	*ret_run = (struct registry_run){ .exit_code = 0, .is_terminal = true,
		                          .start_time_ms = 1770229842569 + number,
		                          .end_time_ms = 1770229852569 + number,
		                          .first_seen_ms = 1770229842600 + number };
	/* As today's writers name them: a time and a process. */
	snprintf(ret_run->run_id, sizeof(ret_run->run_id), "20260204-%06u-%05u-%u",
	         number / 60, number * 7919 % 99991, number);
	snprintf(ret_run->path_project, sizeof(ret_run->path_project), "project-%u", number % 50);
	snprintf(ret_run->path_task, sizeof(ret_run->path_task), "task-%u", number / 1000);
	strcpy(ret_run->project_id, ret_run->path_project);
	strcpy(ret_run->task_id, ret_run->path_task);
	strcpy(ret_run->status, "completed");
}

static uint32_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Of one look-up, in processor time; the median of rounds, as the machine does other things too. */
static int64_t
time_lookups(const struct registry *registry, char (*ids)[ID_BYTES], int expected)
{
	struct registry_run found;
	int64_t round_ns[ROUNDS];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		int64_t began_ns = cpu_ns();

		for (uint32_t i = 0; i < LOOKUPS / ROUNDS; i++)
			must(registry_find(registry, ids[round * (LOOKUPS / ROUNDS) + i], &found) ==
			     expected);
		round_ns[round] = (cpu_ns() - began_ns) / (LOOKUPS / ROUNDS);
	}
	qsort(round_ns, ROUNDS, sizeof(round_ns[0]), compare);
	return round_ns[ROUNDS / 2];
}

static void
measure(uint32_t runs)
{
	struct registry_writer *writer;
	struct registry *registry;
	struct registry_run run;
	struct stat st;
	uint64_t random = 1;
	int64_t began_ns, put_ns, find_ns, miss_ns;
	char (*ids)[ID_BYTES];
	int fd = registry_create(runs);

	must(fd >= 0 && registry_writer_open(fd, &writer) == 0 &&
	     registry_open(fd, &registry) == 0);
	began_ns = clock_now_ns();
	for (uint32_t i = 0; i < runs; i++) {
		make_run(i, &run);
		must(registry_writer_put(writer, &run, NULL, NULL) == 0);
	}
	put_ns = (clock_now_ns() - began_ns) / runs;

	/* Ids in random order, made beforehand and read in a row: what is measured is the registry. */
	ids = malloc(LOOKUPS * sizeof(*ids));
	must(ids);
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		make_run(next_random(&random) % runs, &run);
		memcpy(ids[i], run.run_id, ID_BYTES);
	}
	find_ns = time_lookups(registry, ids, 0);
	for (uint32_t i = 0; i < LOOKUPS; i++)
		ids[i][0] = 'x';
	miss_ns = time_lookups(registry, ids, -ENOENT);

	must(fstat(fd, &st) == 0);
	printf("registry runs=%u found_ns=%jd not_found_ns=%jd put_ns=%jd memory_mib=%.1f "
	       "bytes_per_run=%jd\n",
	       runs, (intmax_t)find_ns, (intmax_t)miss_ns, (intmax_t)put_ns,
	       (double)st.st_blocks / 2048, (intmax_t)(st.st_blocks * INT64_C(512) / runs));
	free(ids);
	registry_close(&registry);
	registry_writer_close(&writer);
	close(fd);
}

int
main(int argc, char **argv)
{
	uint64_t runs;

	if (argc == 1) {
		measure(1000);
		measure(1000000);
	}
	for (int i = 1; i < argc; i++) {
		if (num_parse_u64(argv[i], strlen(argv[i]), &runs) != 0 || runs == 0 ||
		    runs > 16000000) {
			fprintf(stderr, "usage: registry_bench [RUNS…]\n");
			return 2;
		}
		measure((uint32_t)runs);
	}
	return 0;
}
