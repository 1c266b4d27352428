/*
 * What lies beside a followed file and may be an older part of it: files whose names begin with
 * its own and go on as those of rotated ones do (log.1, log-20260101, log.2026-01-01T10:00:00,
 * log.old). In which order they were written, whether one holds a certain place, and whether one
 * is but a copy of another.
 *
 * All of this may wait for the file system: it is for helper threads.
 */
#ifndef FOLLOW_NEIGHBOURS_H
#define FOLLOW_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "follow/file_system.h"
#include "model/cursor.h"

struct neighbour {
	char *name; /* owned; NULL: of the followed file itself, which bears no name of a rotated one */
	struct stat stat;
	struct timespec born; /* zero where the file system does not tell */
	uint32_t identity;
	bool is_packed; /* compressed: it holds lines that nobody can read here */
	bool is_doubtful; /* beside.c: its place in the order cannot be told */
};

struct neighbours {
	int runs_dir_fd;       /* borrowed */
	const char *directory; /* beneath it; borrowed */
	const char *name;      /* of the followed file; borrowed */
	struct timespec changed; /* the directory, before it was listed */
	enum file_system file_system;
	size_t count;
	struct neighbour *list; /* owned */
};

/* Lists them in a state in which the directory did not change meanwhile, if that can be had. 0 or
 * -errno. */
int neighbours_list(int runs_dir_fd, const char *directory, const char *name,
                    struct neighbours *ret_neighbours);
void neighbours_fini(struct neighbours *neighbours);

/* Takes one out of the list. */
void neighbours_drop(struct neighbours *neighbours, size_t index);

/* Below 0, 0 or above, as the first is before, at or after the second. */
int neighbour_compare_times(const struct timespec *a, const struct timespec *b);

/* Whether it was made after a time; false where the file system does not tell when. */
bool neighbour_is_born_after(const struct timespec *born, const struct timespec *time);

/* Fills in what an open file is compared by: the followed one, say. */
void neighbour_of_fd(int fd, const struct stat *stat, struct neighbour *ret_neighbour);

/*
 * Whether one was written before the other: by the numbers or dates in their names and by the times
 * of the files, where these do not agree by what most of them say.
 */
bool neighbour_is_before(const struct neighbour *a, const struct neighbour *b);
/* Sorts the list, the oldest first. */
void neighbours_sort(struct neighbours *neighbours);

/* Opens one. -ESTALE: the name is another file's by now; other -errno. */
int neighbours_open(const struct neighbours *neighbours, size_t index, struct stat *ret_stat,
                    int *ret_fd);

/* Whether the bytes before the mark are those that it was made from: 1 or 0; -errno: they cannot be read. */
int neighbour_verify(int fd, const struct cursor_mark *mark);
/* The same: false as well if they cannot be read. */
bool neighbour_holds(int fd, const struct cursor_mark *mark);

enum neighbour_likeness {
	NEIGHBOUR_OTHER,
	NEIGHBOUR_COPY,       /* one is what the other begins with */
	NEIGHBOUR_COPY_MAYBE, /* the same, and so short that it may be chance */
	NEIGHBOUR_UNREADABLE, /* that could not be told */
};

/* Of two files with something in them; sizes: as far as they are compared. */
enum neighbour_likeness neighbour_compare(int a_fd, uint64_t a_bytes, int b_fd, uint64_t b_bytes);
/*
 * The same of one that lies there, and an open file that is still written to. Copies are made of what is
 * there: one that is longer than the file is of what it held before it was emptied, and no copy of the few
 * bytes that both begin with.
 */
enum neighbour_likeness neighbour_compare_to_open(int fd, uint64_t bytes, int open_fd);

#endif
