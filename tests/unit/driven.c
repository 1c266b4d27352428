#include "driven.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/must.h"
#include "base/offload.h"

/* All of clock.c but what asks the kernel. */
#define clock_now_ms real_now_ms
#define clock_now_ns real_now_ns
#define clock_wall_ms real_wall_ms
#define clock_file_lag_ms real_file_lag_ms
#include "base/clock.c"
#undef clock_now_ms
#undef clock_now_ns
#undef clock_wall_ms
#undef clock_file_lag_ms

static int64_t now_ms = 1000000;

int64_t
clock_now_ms(void)
{
	return now_ms;
}

int64_t
clock_now_ns(void)
{
	return now_ms * 1000000;
}

int64_t
clock_wall_ms(void)
{
	return 1700000000000 + now_ms;
}

int64_t
clock_file_lag_ms(void)
{
	return 0;
}

void
driven_pass(int64_t ms)
{
	now_ms += ms;
}

/* --- files ----------------------------------------------------------------------------------------- */

enum { MOST_BIRTHS = 1024 };

static struct birth {
	dev_t device;
	ino_t inode;
	int64_t wall_ms;
} births[MOST_BIRTHS];
static size_t birth_count;

void
driven_birth(int fd)
{
	struct stat stat;

	must(fstat(fd, &stat) == 0);
	/* The oldest are forgotten. */
	births[birth_count++ % MOST_BIRTHS] = (struct birth){ .device = stat.st_dev, .inode = stat.st_ino,
		                                              .wall_ms = clock_wall_ms() };
}

/* In place of that of the C library. */
int
statx(int fd, const char *restrict path, int flags, unsigned mask, struct statx *restrict what)
{
	int result = (int)syscall(SYS_statx, fd, path, flags, mask, what);
	size_t oldest = birth_count < MOST_BIRTHS ? 0 : birth_count - MOST_BIRTHS;

	for (size_t i = birth_count; result == 0 && i > oldest; i--) {
		const struct birth *b = &births[(i - 1) % MOST_BIRTHS];

		if (b->inode != what->stx_ino || b->device != makedev(what->stx_dev_major, what->stx_dev_minor))
			continue;
		what->stx_mask |= STATX_BTIME;
		what->stx_btime.tv_sec = b->wall_ms / 1000;
		what->stx_btime.tv_nsec = (uint32_t)(b->wall_ms % 1000 * 1000000);
		break;
	}
	return result;
}

/* --- helper threads ------------------------------------------------------------------------------ */

TAILQ_HEAD(job_list, offload_job);

struct offload {
	size_t count;
	bool is_ending;
	struct job_list waiting, worked;
};

static struct offload *only;

int
offload_new(struct loop *loop, size_t most_threads, struct offload **ret_offload)
{
	(void)loop;
	(void)most_threads;
	must(!only);
	only = calloc(1, sizeof(*only));
	if (!only)
		return -ENOMEM;
	TAILQ_INIT(&only->waiting);
	TAILQ_INIT(&only->worked);
	*ret_offload = only;
	return 0;
}

static void
hand_back(struct job_list *list, struct offload_job *job)
{
	TAILQ_REMOVE(list, job, entry);
	only->count--;
	job->done(job);
}

size_t
offload_free(struct offload **offload)
{
	struct offload_job *job;

	if (!*offload)
		return 0;
	only->is_ending = true;
	while ((job = TAILQ_FIRST(&only->worked)) != NULL)
		hand_back(&only->worked, job);
	while ((job = TAILQ_FIRST(&only->waiting)) != NULL) {
		job->is_dropped = true;
		hand_back(&only->waiting, job);
	}
	free(only);
	only = NULL;
	*offload = NULL;
	return 0;
}

void
offload_submit(struct offload *offload, struct offload_job *job, offload_work_fn *work,
               offload_done_fn *done)
{
	must(!offload->is_ending);
	job->work = work;
	job->done = done;
	job->is_dropped = false;
	offload->count++;
	TAILQ_INSERT_TAIL(&offload->waiting, job, entry);
}

size_t
driven_jobs(void)
{
	return only ? only->count : 0;
}

bool
driven_step(unsigned which)
{
	struct offload_job *job;

	if (driven_jobs() == 0)
		return false;
	which %= (unsigned)only->count;
	TAILQ_FOREACH (job, &only->waiting, entry) {
		if (which-- > 0)
			continue;
		TAILQ_REMOVE(&only->waiting, job, entry);
		TAILQ_INSERT_TAIL(&only->worked, job, entry);
		job->work(job);
		return true;
	}
	TAILQ_FOREACH (job, &only->worked, entry) {
		if (which-- > 0)
			continue;
		hand_back(&only->worked, job);
		return true;
	}
	return true;
}
