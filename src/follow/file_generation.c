#include "follow/file_generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "store/file_identity.h"

enum {
	FETCH_BYTES = 256 * 1024, /* what a helper reads at once */
	STAGED = 4,               /* fetched ranges kept, for readers at different places */
	STAGED_MS = 1000,         /* for so long */
};

struct staged {
	uint8_t *bytes; /* owned, or NULL */
	uint64_t offset;
	size_t length;
	int64_t fetched_ms;
};

struct staging {
	struct offload_job job;
	struct generation *reading; /* owned reference while the job runs */
	uint64_t offset;
	size_t length;
	uint8_t *bytes;
	int64_t result; /* bytes, or -errno */
	int error;      /* of the last fetch: told to all until the file was looked at again */
	uint64_t error_look;
	size_t next;    /* slot to fill */
	struct staged slots[STAGED];
};

static uint64_t open_count;

uint64_t
file_generation_size(const struct stat *stat)
{
	/* A sparse file may be said to be larger than any disk. */
	return (uint64_t)stat->st_size < CURSOR_OFFSET_LIMIT ? (uint64_t)stat->st_size
	                                                     : CURSOR_OFFSET_LIMIT - 1;
}

uint64_t
file_generation_open_count(void)
{
	return open_count;
}

struct file_generation *
file_generation_of(struct generation *generation)
{
	return (struct file_generation *)generation;
}

static void
note_birth(struct file_generation *g)
{
	struct statx what = { 0 };

	if (statx(g->fd, "", AT_EMPTY_PATH, FILE_IDENTITY_MASK, &what) < 0)
		what = (struct statx){ 0 };
	g->generation.identity = file_identity(&what);
	if (what.stx_mask & STATX_BTIME)
		g->born = (struct timespec){ .tv_sec = what.stx_btime.tv_sec, .tv_nsec = what.stx_btime.tv_nsec };
}

static int64_t
stat_wall_ms(const struct stat *stat)
{
	return (int64_t)stat->st_mtim.tv_sec * 1000 + stat->st_mtim.tv_nsec / 1000000;
}

int
file_generation_new(struct source *source, struct offload *offload, int fd, const struct stat *stat,
                    enum file_system file_system, int64_t now_ms,
                    struct file_generation **ret_generation)
{
	static uint32_t serials;
	struct file_generation *g = calloc(1, sizeof(*g));
	int64_t age_ms;

	if (!g)
		return -ENOMEM;
	g->generation.source = source;
	g->generation.references = 1;
	g->generation.serial = ++serials;
	g->offload = offload;
	g->fd = fd;
	g->file_system = file_system;
	g->generation.changed_ms = now_ms;
	file_generation_set_begun(g, clock_wall_ms(), false);
	if (fd >= 0) {
		open_count++;
		g->device = stat->st_dev;
		g->inode = stat->st_ino;
		note_birth(g);
		g->modified = stat->st_mtim;
		g->generation.size_bytes = file_generation_size(stat);
		g->generation.opened_size_bytes = g->generation.size_bytes;
		g->generation.opened_wall_ms = stat_wall_ms(stat);
		g->generation.grown_wall_ms = g->generation.opened_wall_ms;
		/* A file from long ago has rested for long; one from the future, not at all. */
		age_ms = clock_wall_ms() - g->generation.opened_wall_ms;
		if (age_ms > 0)
			g->generation.changed_ms = now_ms - age_ms;
	}
	*ret_generation = g;
	return 0;
}

int
file_generation_again(struct file_generation *old, const struct stat *stat, int64_t now_ms,
                      struct file_generation **ret_generation)
{
	int fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	error = file_generation_new(old->generation.source, old->offload, fd, stat,
	                            old->file_system, now_ms, ret_generation);
	if (error)
		fd_close(&fd);
	return error;
}

void
file_generation_set_begun(struct file_generation *g, int64_t begun_ms, bool was_emptied)
{
	g->generation.begun_ms = begun_ms;
	g->generation.copies_since_ms = begun_ms + (was_emptied ? clock_file_lag_ms() : 0);
}

void
file_generation_set_copy_of(struct file_generation *g, uint32_t identity)
{
	const struct timespec *made = g->born.tv_sec > 0 ? &g->born : &g->modified;
	int64_t begun_ms = 0; /* of a time that is none */

	if (made->tv_sec > 0 && made->tv_sec <= (int64_t)(CURSOR_FINGERPRINT_MASK / 1000))
		begun_ms = (int64_t)made->tv_sec * 1000 + made->tv_nsec / 1000000 - 1;
	g->generation.copy_of = identity;
	file_generation_set_begun(g, begun_ms, false);
}

static void
note_append(struct generation *g, const struct stat *stat)
{
	int64_t now_us = clock_wall_us();
	int64_t unseen_us = now_us - (clock_now_ms() - g->source->looked_ms) * 1000;

	g->appended_us = (int64_t)stat->st_mtim.tv_sec * 1000000 + stat->st_mtim.tv_nsec / 1000;
	/* Times of files can be set, and those of file servers be off. */
	if (g->appended_us < unseen_us)
		g->appended_us = unseen_us;
	if (g->appended_us > now_us)
		g->appended_us = now_us;
	g->appended_from = g->size_bytes;
}

void
file_generation_grow(struct generation *g, const struct stat *stat)
{
	note_append(g, stat);
	file_generation_of(g)->modified = stat->st_mtim;
	g->size_bytes = file_generation_size(stat);
	g->grown_wall_ms = clock_wall_ms();
	g->changed_ms = clock_now_ms();
	g->source->changed_ms = g->changed_ms;
}

void
file_generation_suspect(struct generation *g, const struct stat *stat)
{
	struct timespec *modified = &file_generation_of(g)->modified;

	if (modified->tv_sec == stat->st_mtim.tv_sec && modified->tv_nsec == stat->st_mtim.tv_nsec)
		return;
	*modified = stat->st_mtim;
	g->is_suspect = true;
	g->scanned_to = 0; /* an unfinished line may have got its end in place */
}

bool
file_generation_is_being_written(const struct generation *generation)
{
	const struct file_generation *g = (const struct file_generation *)generation;
	struct stat now;

	/* A remote lock would be asked for over the network. */
	if (g->fd < 0 || g->file_system == FILE_SYSTEM_REMOTE)
		return false;
	if (flock(g->fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(g->fd, LOCK_UN);
	/* A writer that was in the middle of an entry at the last look may have ended it since. */
	return fstat(g->fd, &now) == 0 && file_generation_size(&now) != generation->size_bytes;
}

void
file_generation_free(struct generation *generation)
{
	struct file_generation *g = file_generation_of(generation);

	if (g->staging) {
		must(!g->staging->reading); /* it would hold a reference */
		for (size_t i = 0; i < STAGED; i++)
			free(g->staging->slots[i].bytes);
		free(g->staging);
	}
	if (g->fd >= 0)
		open_count--;
	fd_close(&g->fd);
	free(g);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* ESTALE has another meaning here, and is for the next look to mend. */
static int
failed(struct file_generation *g, int error)
{
	if (error != ESTALE)
		return -error;
	__atomic_store_n(&g->is_stale, true, __ATOMIC_RELAXED);
	return -EIO;
}

int64_t
file_generation_read_waiting(struct generation *generation, uint64_t offset, void *to, size_t length)
{
	ssize_t n;

	do
		n = pread(file_generation_of(generation)->fd, to, length, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? failed(file_generation_of(generation), errno) : n;
}

static void
fetch(struct offload_job *job)
{
	struct staging *s = (struct staging *)job;

	s->result = file_generation_read_waiting(s->reading, s->offset, s->bytes, s->length);
}

/* The file ends before the size that it had. */
static void
is_shorter(struct generation *generation)
{
	/* The current one is looked at; those that were left behind are not. */
	if (generation == generation->source->current)
		source_refresh(generation->source);
	else
		source_rewritten(generation);
}

static void
fetched(struct offload_job *job)
{
	struct staging *s = (struct staging *)job;
	struct generation *generation = s->reading;
	struct source *source = generation->source;
	bool is_dropped = job->is_dropped;

	s->reading = NULL;
	if (s->result > 0) {
		struct staged *slot = &s->slots[s->next++ % STAGED];

		free(slot->bytes);
		*slot = (struct staged){ .bytes = s->bytes, .offset = s->offset,
			                 .length = (size_t)s->result, .fetched_ms = clock_now_ms() };
	} else {
		free(s->bytes);
		s->error = s->result < 0 ? (int)s->result : -ENODATA;
		s->error_look = source->looks_begun;
	}
	s->bytes = NULL;
	if (s->error == -ENODATA && !is_dropped)
		is_shorter(generation);
	source_notify(source);
	generation_unref(&generation);
	source->ops->release(source);
}

/* Has a helper read at offset. Returns -EAGAIN, or -errno when that cannot be. */
static int
begin_fetch(struct file_generation *g, uint64_t offset, size_t length)
{
	struct staging *s = g->staging;

	if (!s) {
		s = g->staging = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
	}
	if (s->reading)
		return -EAGAIN; /* one at a time; all are told when it ends, and ask again */
	if (s->error && g->generation.source->looked <= s->error_look)
		return s->error;
	s->error = 0;
	s->length = length > FETCH_BYTES ? length : FETCH_BYTES;
	s->bytes = malloc(s->length);
	if (!s->bytes)
		return -ENOMEM;
	s->offset = offset;
	s->result = 0;
	s->reading = generation_ref(&g->generation);
	g->generation.source->ops->hold(g->generation.source);
	offload_submit(g->offload, &s->job, fetch, fetched);
	return -EAGAIN;
}

static size_t
take_staged(struct file_generation *g, uint64_t offset, void *to, size_t length)
{
	for (size_t i = 0; g->staging && i < STAGED; i++) {
		struct staged *slot = &g->staging->slots[i];

		if (slot->bytes && offset >= slot->offset && offset < slot->offset + slot->length) {
			size_t skip = (size_t)(offset - slot->offset), n = slot->length - skip;

			if (n > length)
				n = length;
			memcpy(to, slot->bytes + skip, n);
			return n;
		}
	}
	return 0;
}

int64_t
file_generation_read(struct generation *generation, uint64_t offset, void *to, size_t length)
{
	struct file_generation *g = file_generation_of(generation);
	struct iovec iov = { .iov_base = to, .iov_len = length };
	ssize_t n;

	if (generation->state == GENERATION_LOST || generation->is_rewritten)
		return -ESTALE;
	if (generation != generation->source->current &&
	    __atomic_load_n(&g->is_stale, __ATOMIC_RELAXED)) {
		/* No look will find it again. */
		source_rewritten(generation);
		return -ESTALE;
	}
	if (offset >= generation->size_bytes)
		return 0;
	if (length > generation->size_bytes - offset)
		iov.iov_len = length = (size_t)(generation->size_bytes - offset);
	if (g->file_system != FILE_SYSTEM_REMOTE) {
		int flags = g->file_system == FILE_SYSTEM_MEMORY ? 0 : RWF_NOWAIT;

		n = preadv2(g->fd, &iov, 1, (off_t)offset, flags);
		if (n > 0)
			return n;
		if (n < 0 && errno != EAGAIN && errno != EOPNOTSUPP && errno != EINTR)
			return failed(g, errno);
	}
	/* Not in memory, shorter than the last look said (preadv2(2) of some kernels says 0 for
	 * both), or nobody can say: what a helper fetched, or have it fetched. */
	n = (ssize_t)take_staged(g, offset, to, length);
	return n > 0 ? n : begin_fetch(g, offset, length);
}

uint64_t
file_generation_hole_end(struct generation *generation, uint64_t offset, uint64_t limit)
{
	struct file_generation *g = file_generation_of(generation);
	off_t data;

	if (g->file_system == FILE_SYSTEM_REMOTE)
		return offset; /* may wait: zeros are shown as zeros there */
	data = lseek(g->fd, (off_t)offset, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? limit : offset;
	return (uint64_t)data < limit ? (uint64_t)data : limit;
}

void
file_generation_relax(struct file_generation *g, int64_t now_ms)
{
	for (size_t i = 0; g->staging && i < STAGED; i++) {
		struct staged *slot = &g->staging->slots[i];

		if (slot->bytes && now_ms - slot->fetched_ms > STAGED_MS) {
			free(slot->bytes);
			slot->bytes = NULL;
		}
	}
}
