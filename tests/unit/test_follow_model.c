/*
 * Random sequences of what writers, administrators and clients do to a run's logs, against the
 * truth (follow_truth.h): every reader sees every line once and in order, unless a gap says
 * otherwise, and a gap comes only where something may be lost; nobody waits for what is there;
 * `complete` comes when all was delivered. Time and helper threads are driven (driven.h), so a
 * seed replays everything.
 *
 * FOLLOW_MODEL_COUNT=N runs N sequences in all, half with inotify and half by polling, from
 * FOLLOW_MODEL_FROM=N on; FOLLOW_MODEL_SEED=N runs that one alone, both ways. One that fails is made
 * shorter, and told, with what its readers got. With FOLLOW_MODEL_ALL set, all that fail are listed
 * instead, each in one line.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "follow_ops.h"

enum { DEFAULT_COUNT = 2000, BATCH = 250 };

/* What a child, which may end anywhere, tells its parent. */
struct told {
	uint64_t seed;
	bool has_failed;
	char failure[4096];
};

static struct told *told;

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void
run_one(const struct ops *ops, bool with_trace)
{
	const char *failure = ops_run(ops, with_trace);

	if (!failure)
		return;
	snprintf(told->failure, sizeof(told->failure), "%s", failure);
	told->has_failed = true;
	_exit(1);
}

/* Whether the child went well. */
static bool
await(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (!told->has_failed)
		snprintf(told->failure, sizeof(told->failure), "ended with %s %d",
		         WIFSIGNALED(status) ? "signal" : "status",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

static pid_t
begin_child(bool is_silent)
{
	pid_t child;

	told->has_failed = false;
	fflush(NULL);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0 && is_silent && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)))
		_exit(2);
	return child;
}

static bool
fails(const struct ops *ops, bool is_silent)
{
	pid_t child = begin_child(is_silent);

	if (child == 0) {
		alarm(20);
		run_one(ops, !is_silent);
		_exit(0);
	}
	return !await(child);
}

static void
drop(struct ops *ops, size_t at, size_t count)
{
	memmove(&ops->list[at], &ops->list[at + count], (ops->count - at - count) * sizeof(ops->list[0]));
	ops->count -= count;
}

/* Leaves out what the failure does not need. */
static void
shrink(struct ops *ops)
{
	for (size_t size = ops->count / 2; size > 0; size /= 2) {
		bool again = true;

		while (again) {
			again = false;
			for (size_t at = 0; at + size <= ops->count;) {
				struct ops fewer = *ops;

				drop(&fewer, at, size);
				if (fails(&fewer, true)) {
					*ops = fewer;
					again = size == 1;
				} else {
					at += size;
				}
			}
		}
	}
}

static void
tell(uint64_t seed, bool has_inotify)
{
	struct ops ops;

	ops_make(&ops, seed, has_inotify);
	fprintf(stderr, "FOLLOW_MODEL_SEED=%llu tests/unit/test_follow_model\nas it is: %s\n",
	        (unsigned long long)seed, told->failure);
	shrink(&ops);
	ops_print(&ops, stderr);
	if (!fails(&ops, false))
		fprintf(stderr, "made shorter, it does not fail each time\n");
	fprintf(stderr, "made shorter: %s\n", told->failure);
}

/* Those from one on, before another. Returns that, or the first that failed. */
static uint64_t
run_batch(uint64_t from, uint64_t until, bool has_inotify)
{
	pid_t child = begin_child(false);

	if (child == 0) {
		for (uint64_t seed = from; seed < until; seed++) {
			struct ops ops;

			told->seed = seed;
			alarm(60);
			ops_make(&ops, seed, has_inotify);
			run_one(&ops, false);
		}
		_exit(0);
	}
	return await(child) ? until : told->seed;
}

static void
list(uint64_t seed, bool has_inotify)
{
	fprintf(stderr, "FOLLOW_MODEL_SEED=%llu %s: %.*s\n", (unsigned long long)seed,
	        has_inotify ? "inotify" : "polling", (int)strcspn(told->failure, "\n"), told->failure);
}

static void
run(uint64_t first, uint64_t count, bool has_inotify)
{
	bool is_all = getenv("FOLLOW_MODEL_ALL") != NULL;
	uint64_t failed_count = 0, last_failed = 0;

	for (uint64_t from = first; from < first + count;) {
		uint64_t until = from + BATCH < first + count ? from + BATCH : first + count;
		uint64_t failed = run_batch(from, until, has_inotify);

		from = failed < until ? failed + 1 : until;
		if (failed == until)
			continue;
		failed_count++;
		last_failed = failed;
		if (!is_all) {
			tell(failed, has_inotify);
			break;
		}
		list(failed, has_inotify);
	}
	if (failed_count > 0)
		ck_abort_msg("%llu of %llu failed, seed %llu the last", (unsigned long long)failed_count,
		             (unsigned long long)count, (unsigned long long)last_failed);
}

static void
run_all(bool has_inotify)
{
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(told, MAP_FAILED);
	if (getenv("FOLLOW_MODEL_SEED"))
		run(number_from("FOLLOW_MODEL_SEED", 1), 1, has_inotify);
	else
		run(number_from("FOLLOW_MODEL_FROM", 1), number_from("FOLLOW_MODEL_COUNT", DEFAULT_COUNT) / 2,
		    has_inotify);
	munmap(told, sizeof(*told));
}

START_TEST(random_sequences_with_inotify)
{
	run_all(true);
}
END_TEST

START_TEST(random_sequences_by_polling)
{
	run_all(false);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("follow_model");
	TCase *inotify = tcase_create("inotify"), *polling = tcase_create("polling");
	SRunner *runner;
	int failed;

	tcase_set_timeout(inotify, 36000);
	tcase_set_timeout(polling, 36000);
	tcase_add_test(inotify, random_sequences_with_inotify);
	tcase_add_test(polling, random_sequences_by_polling);
	suite_add_tcase(suite, inotify);
	suite_add_tcase(suite, polling);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
