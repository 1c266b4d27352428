/*
 * What discovery does is done in errands, by a helper thread, one at a time: so whoever runs one is
 * alone with all that is known, and the loop's thread touches that only while none is under way. A
 * call that may hang is announced before it is made, at a moment at which all that is known is in
 * order. If it does not return for a while, the errand is set aside in the middle of it: what it was
 * about is held, that is left alone, and another errand begins anew with what there was to do. The
 * one that was set aside finds out when its call returns, touches nothing, and ends; then what it
 * was about is looked at again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/must.h"
#include "discovery/state.h"

enum {
	HUNG_MAX = 16,            /* errands, and so threads, that hang; then the last one is waited for */
	CHECK_MS = 50,
	PATIENCE_LEAST_MS = 50, PATIENCE_MS = 250, PATIENCE_MOST_MS = 3000,
	PATIENCE_SHARE = 4,       /* of the interval, so that the look is over in time all the same */
	SLOW_MS = 10000,          /* what returns sooner than this is slow, and waited for the next time */
	TOLD_MS = 1000,           /* a call that takes longer is worth a line */
	FDS_AT_ONCE = 4,
};

/* Of the calls that were made, and what became of the last one. */
enum { WORD_IS_IN_CALL = 1, WORD_IS_ASIDE = 2, WORD_CALL = 4 };

struct errand {
	struct offload_job job;
	struct discovery *d;
	TAILQ_ENTRY(errand) entry; /* of those that hang */
	unsigned todo;
	uint64_t word;             /* atomic: the errand's own, until it is set aside in a call */
	const char *about;         /* of the call; in the frame that makes it */
	pthread_mutex_t aside;     /* while it is being set aside */
	jmp_buf *over;

	/* What is to be closed if its thread does not come to it. */
	int fds[FDS_AT_ONCE];
	DIR *dir;

	/* The loop's. */
	uint64_t seen_word;
	int64_t seen_ms;           /* since when it is as it was seen */
	int64_t seen_checks;       /* and in so many checks */
	bool waits_was_said, is_told, is_back;
	char held[PATH_BYTES_MAX];
};

/* The one that this thread runs. */
static __thread struct errand *own;

/* --- in the helper thread ------------------------------------------------------------------------- */

static bool
lies_beneath(const char *path, const char *held)
{
	size_t length = strlen(held);

	return strcmp(held, ".") == 0 ||
	       (strncmp(path, held, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

static bool
is_held(const struct discovery *d, const char *path)
{
	const struct errand *hung;

	TAILQ_FOREACH(hung, &d->hung, entry) {
		if (lies_beneath(path, hung->held))
			return true;
	}
	return false;
}

void
errand_abandon(void)
{
	struct errand *e = own;

	if (e->dir)
		closedir(e->dir);
	for (int i = 0; i < FDS_AT_ONCE; i++)
		fd_close(&e->fds[i]);
	/* Who set it aside may be about to read what it was about. */
	pthread_mutex_lock(&e->aside);
	pthread_mutex_unlock(&e->aside);
	longjmp(*e->over, 1);
}

bool
errand_enter(struct discovery *d, const char *about)
{
	if (!own)
		return true;
	if (__atomic_load_n(&d->is_ending, __ATOMIC_RELAXED))
		errand_abandon();
	if (!TAILQ_EMPTY(&d->hung) && is_held(d, about)) {
		d->look_left_out = true;
		return false;
	}
	own->about = about;
	__atomic_store_n(&own->word, own->word + WORD_CALL + WORD_IS_IN_CALL, __ATOMIC_RELEASE);
	return true;
}

bool
errand_is_over(void)
{
	uint64_t word;

	if (!own)
		return true;
	/* Whoever set it aside has its own thread's word for it, and nothing else changes it. */
	word = __atomic_load_n(&own->word, __ATOMIC_RELAXED) & ~(uint64_t)WORD_IS_ASIDE;
	return __atomic_compare_exchange_n(&own->word, &word, word - WORD_IS_IN_CALL, false,
	                                   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void
errand_leave(void)
{
	int saved = errno;

	if (!errand_is_over())
		errand_abandon();
	errno = saved;
}

void
errand_keep_fd(int fd)
{
	if (!own)
		return;
	for (int i = 0; i < FDS_AT_ONCE; i++)
		if (own->fds[i] < 0) {
			own->fds[i] = fd;
			return;
		}
	must(!"so many descriptors at once");
}

void
errand_release_fd(int fd)
{
	for (int i = 0; own && fd >= 0 && i < FDS_AT_ONCE; i++)
		if (own->fds[i] == fd)
			own->fds[i] = -1;
}

void
errand_keep_dir(DIR *dir)
{
	if (own)
		own->dir = dir;
}

static void
work(struct offload_job *job)
{
	struct errand *e = (struct errand *)job;
	jmp_buf over;

	own = e;
	e->over = &over;
	if (setjmp(over) == 0)
		e->d->do_errand(e->d, e->todo);
	own = NULL;
}

/* --- in the loop's thread ------------------------------------------------------------------------- */

static void
errand_free(struct errand *e)
{
	pthread_mutex_destroy(&e->aside);
	free(e);
}

/* What is to be held when a call about that path hangs: the file system that it is on, if that is
 * another one than the runs directory's, so that one that hangs costs one thread. */
static void
choose_held(const struct discovery *d, const char *about, char held[static PATH_BYTES_MAX])
{
	char name[PATH_BYTES_MAX], *rest = name;
	struct folder *top, *task;

	snprintf(held, PATH_BYTES_MAX, "%s", about);
	snprintf(name, sizeof(name), "%s", about);
	top = folder_child(d->root, strsep(&rest, "/"));
	if (!d->root->is_listed || !top)
		return;
	if (top->is_listed && top->dev != d->root->dev) {
		path_of_listed(top, held);
		return;
	}
	task = rest ? folder_child(top, strsep(&rest, "/")) : NULL;
	if (!task || !task->is_listed || task->dev == d->root->dev)
		return;
	path_of_listed(task, name);
	if (lies_beneath(about, name))
		strcpy(held, name);
}

/* What was being done about it is to be done again. */
static void
list_again(struct discovery *d, const char *path)
{
	char name[PATH_BYTES_MAX], *rest = name;
	struct folder *folder = d->root, *child;

	snprintf(name, sizeof(name), "%s", path);
	while (rest && (child = folder_child(folder, strsep(&rest, "/"))) != NULL)
		folder = child;
	turns_list_again(d, folder);
}

static size_t
count_hung(const struct discovery *d)
{
	const struct errand *hung;
	size_t count = 0;

	TAILQ_FOREACH(hung, &d->hung, entry) {
		count += !hung->is_back;
	}
	return count;
}

/* What came back while another errand was under way. */
static void
take_back(struct discovery *d)
{
	struct errand *e, *next;

	for (e = TAILQ_FIRST(&d->hung); e; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (!e->is_back)
			continue;
		TAILQ_REMOVE(&d->hung, e, entry);
		list_again(d, e->held);
		d->todo |= ERRAND_LOOK;
		errand_free(e);
	}
}

static int64_t
patience_ms(const struct discovery *d)
{
	int64_t ms = d->instance->settings.api.sse.discovery_interval_ms / PATIENCE_SHARE;

	if (d->patience_ms > 0)
		return d->patience_ms;
	if (ms > PATIENCE_MS)
		ms = PATIENCE_MS;
	return ms < PATIENCE_LEAST_MS ? PATIENCE_LEAST_MS : ms;
}

/* One that is slow, again and again, is never looked at if it is never waited for. */
static void
learn_patience(struct discovery *d, const struct errand *e, int64_t now_ms)
{
	int64_t took_ms = now_ms - e->seen_ms;

	if (took_ms < SLOW_MS && strcmp(e->held, d->slow) == 0 && e->seen_ms - d->slow_ms < SLOW_MS)
		d->patience_ms = 2 * took_ms < PATIENCE_MOST_MS ? 2 * took_ms : PATIENCE_MOST_MS;
	strcpy(d->slow, e->held);
	d->slow_ms = now_ms;
}

static void
done(struct offload_job *job)
{
	struct errand *e = (struct errand *)job;
	struct discovery *d = e->d;

	if (job->is_dropped || d->is_ending) {
		if (d->errand == e)
			d->errand = NULL;
		else
			TAILQ_REMOVE(&d->hung, e, entry);
		errand_free(e);
		return;
	}
	if (d->errand != e) {
		int64_t now_ms = clock_now_ms();

		learn_patience(d, e, now_ms);
		if (e->is_told)
			log_info("folder_hangs", "over=1 folder=\"%s\" ms=%jd", e->held,
			         (intmax_t)(now_ms - e->seen_ms));
		e->is_back = true;
		if (!d->errand)
			take_back(d);
		errands_go(d);
		return;
	}
	d->errand = NULL;
	if (TAILQ_EMPTY(&d->hung))
		loop_timer_stop(d->loop, &d->errand_timer);
	if (d->patience_ms > 0 && clock_now_ms() - d->slow_ms > 6 * SLOW_MS)
		d->patience_ms = 0;
	take_back(d);
	d->errand_is_done(d, e->todo);
	errand_free(e);
	errands_go(d);
}

/* Of those that hang for long enough. Whether that are all of them. */
static bool
tell(struct discovery *d)
{
	int64_t now_ms = clock_now_ms();
	struct errand *e;
	bool all_told = true;

	TAILQ_FOREACH(e, &d->hung, entry) {
		if (e->is_told || e->is_back)
			continue;
		if (now_ms - e->seen_ms < TOLD_MS) {
			all_told = false;
			continue;
		}
		e->is_told = true;
		d->counters->faults[COUNTERS_FAULT_STUCK]++;
		log_warning("folder_hangs", "folder=\"%s\" hanging=%zu hint=\"what lies there is left "
		            "alone until a call returns\"", e->held, count_hung(d));
	}
	return all_told;
}

/* Whether the call had not returned meanwhile. */
static bool
set_aside(struct discovery *d, struct errand *e, uint64_t word)
{
	bool is_aside;

	pthread_mutex_lock(&e->aside);
	is_aside = __atomic_compare_exchange_n(&e->word, &word, word | WORD_IS_ASIDE, false,
	                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	if (is_aside)
		choose_held(d, e->about, e->held);
	pthread_mutex_unlock(&e->aside);
	if (!is_aside)
		return false;
	list_again(d, e->held);
	d->todo |= e->todo;
	d->errand = NULL;
	TAILQ_INSERT_TAIL(&d->hung, e, entry);
	take_back(d);
	return true;
}

static void
watch_over(struct discovery *d, struct errand *e)
{
	int64_t now_ms = clock_now_ms();
	uint64_t word = __atomic_load_n(&e->word, __ATOMIC_ACQUIRE);

	if (!(word & WORD_IS_IN_CALL) || word != e->seen_word) {
		e->seen_word = word;
		e->seen_ms = now_ms;
		e->seen_checks = 0;
		return;
	}
	/* By the clock alone a process that was stopped, or did not get to run, would find all hanging. */
	if (now_ms - e->seen_ms < patience_ms(d) || ++e->seen_checks <= patience_ms(d) / CHECK_MS)
		return;
	if (count_hung(d) < HUNG_MAX) {
		if (set_aside(d, e, word))
			errands_go(d);
	} else if (!e->waits_was_said && now_ms - e->seen_ms >= TOLD_MS) {
		e->waits_was_said = true;
		d->counters->faults[COUNTERS_FAULT_STUCK]++;
		log_error("discovery_waits", "hanging=%d hint=\"so many folders hang that nothing "
		          "new is found until one of them does not\"", HUNG_MAX);
	}
}

static void
check(void *arg)
{
	struct discovery *d = arg;
	bool is_told = tell(d);

	if (d->errand)
		watch_over(d, d->errand);
	else
		errands_go(d); /* there was no memory */
	if (d->errand || d->todo != 0 || !is_told)
		loop_timer_set(d->loop, &d->errand_timer, CHECK_MS, check, d);
}

void
errands_go(struct discovery *d)
{
	struct errand *e;

	if (d->errand || d->todo == 0)
		return;
	if (!loop_timer_is_set(&d->errand_timer))
		loop_timer_set(d->loop, &d->errand_timer, CHECK_MS, check, d);
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	e->d = d;
	e->todo = d->todo;
	e->seen_ms = clock_now_ms();
	for (int i = 0; i < FDS_AT_ONCE; i++)
		e->fds[i] = -1;
	pthread_mutex_init(&e->aside, NULL);
	d->todo = 0;
	d->errand = e;
	offload_submit(d->offload, &e->job, work, done);
}

int
errands_start(struct discovery *d)
{
	TAILQ_INIT(&d->hung);
	return offload_new(d->loop, HUNG_MAX + 1, &d->offload);
}

bool
errands_stop(struct discovery *d)
{
	struct errand *e;

	__atomic_store_n(&d->is_ending, true, __ATOMIC_RELAXED);
	loop_timer_stop(d->loop, &d->errand_timer);
	if (offload_free(&d->offload) > 0)
		return false;
	while ((e = TAILQ_FIRST(&d->hung)) != NULL) {
		TAILQ_REMOVE(&d->hung, e, entry);
		errand_free(e);
	}
	return true;
}
