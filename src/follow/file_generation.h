/*
 * A generation of a followed file: an open descriptor, read without waiting where the kernel
 * can (RWF_NOWAIT), and by a helper thread into a bounded staging area where it cannot.
 */
#ifndef FOLLOW_FILE_GENERATION_H
#define FOLLOW_FILE_GENERATION_H

#include <sys/stat.h>

#include "base/offload.h"
#include "follow/file_system.h"
#include "follow/source.h"

struct staging;

struct file_generation {
	struct generation generation;
	int fd;                    /* owned; -1 for "there was no file yet" */
	dev_t device;
	ino_t inode;
	struct timespec born;      /* zero where the file system does not tell */
	struct timespec modified;  /* as last seen with the size */
	enum file_system file_system;
	struct offload *offload;   /* borrowed */
	struct staging *staging;   /* or NULL: all was at hand so far */
	bool is_stale;             /* the file server knows the descriptor no more: atomic */
};

/* Takes fd on success (-1: none yet). One reference. Returns 0 or -errno. */
int file_generation_new(struct source *source, struct offload *offload, int fd,
                        const struct stat *stat, enum file_system file_system, int64_t now_ms,
                        struct file_generation **ret_generation);
/* The next generation on the same file, which was truncated. */
int file_generation_again(struct file_generation *old, const struct stat *stat, int64_t now_ms,
                          struct file_generation **ret_generation);

/* What it holds was there at that time, since the epoch. was_emptied: and nothing of it a moment before. */
void file_generation_set_begun(struct file_generation *g, int64_t begun_ms, bool was_emptied);
/* It is a copy of what a file held: what it was begun to be read at counts from before it was made. */
void file_generation_set_copy_of(struct file_generation *g, uint32_t identity);

/* It was seen to have grown. When it was written to, is taken from the file's time. */
void file_generation_grow(struct generation *generation, const struct stat *stat);
/* It is of the size that it had: if it was written to, it may have been truncated and written anew, which the next
 * reader at its end finds out. */
void file_generation_suspect(struct generation *generation, const struct stat *stat);

struct file_generation *file_generation_of(struct generation *generation);
/* For source_ops. */
int64_t file_generation_read(struct generation *generation, uint64_t offset, void *to,
                             size_t length);
int64_t file_generation_read_waiting(struct generation *generation, uint64_t offset, void *to,
                                     size_t length);
uint64_t file_generation_hole_end(struct generation *generation, uint64_t offset, uint64_t limit);
bool file_generation_is_being_written(const struct generation *generation);
void file_generation_free(struct generation *generation);

/* The size of a file, as far as ids can name places in it: below CURSOR_OFFSET_LIMIT. */
uint64_t file_generation_size(const struct stat *stat);

/* Descriptors of all generations of this process. */
uint64_t file_generation_open_count(void);

/* Gives back staged bytes that nobody came for. */
void file_generation_relax(struct file_generation *g, int64_t now_ms);

#endif
