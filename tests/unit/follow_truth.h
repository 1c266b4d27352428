/*
 * What a writer and an administrator did to one log, and what of it is still on the disk: the
 * truth that readers are held against. Every line begins with a name of its own ("o3.17 "), and
 * files bear the (driven) time of their last write.
 */
#ifndef TESTS_FOLLOW_TRUTH_H
#define TESTS_FOLLOW_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRUTH_EPOCHS = 96, TRUTH_ARCHIVES = 96, TRUTH_HUBS = 2 };

enum truth_moment { TRUTH_BEGINS, TRUTH_MOVES, TRUTH_GOES, TRUTH_REGROWS };

/* What somebody who follows the file may have seen of an epoch. */
struct truth_sight {
	unsigned incarnation;    /* of who follows; 0: nobody did */
	uint64_t looks_begun;    /* when its first content was written */
	bool is_late;            /* or, of who came later, when that was */
	size_t bytes;            /* so much was there by then */
	bool is_gone;
	bool is_seen;            /* with content, before it went */
	bool is_read;            /* somebody got something of it, while its file still held it */
	bool is_overgrown;       /* emptied, its file grew past that before anybody saw it smaller */
};

/* Content from its start on: begun by a new file, or by truncating one. */
struct epoch {
	char *bytes;
	size_t length, capacity;
	size_t lines_begun;
	bool owes_name;     /* of the last one there is but what all begin with */
	size_t kept;        /* of them, from the start on, on the disk all the time */
	bool is_over;       /* another one came */
	bool is_broken;     /* truncated, deleted, hidden, copied: a gap may be in order */
	bool is_truncated;  /* in place: even those who have it open lost it */
	bool is_emptied_late; /* when it had left the path: what came next may be a copy of what was in it */
	bool is_beside;     /* copied while it went on: a copy may be taken for all of it */
	dev_t device;
	ino_t inode;
	struct truth_sight sights[TRUTH_HUBS];
};

struct archive {
	char path[96];
	size_t epoch, length;
	bool is_original;
	unsigned number;
};

struct truth {
	char directory[16];
	const char *name;
	bool begins_alike;  /* lines have something before their names, of which parts of them may consist */
	bool is_dated;      /* archives bear dates; else numbers, of which 1 is the newest */
	struct epoch *epochs[TRUTH_EPOCHS];
	size_t count;
	bool is_at_path;    /* the last epoch's file is */
	struct archive archives[TRUTH_ARCHIVES]; /* the newest last */
	size_t archive_count;
	unsigned serial;
	int runs_dir_fd;
	/* Tells how far looks are: of an epoch that gets its first content, or is renamed, or goes, or whose
	 * emptied file has grown to so many bytes. */
	void (*note)(struct truth *truth, struct epoch *epoch, enum truth_moment moment, size_t bytes);
	void *arg;
};

struct epoch *truth_last(const struct truth *t);
void truth_path(const struct truth *t, char path[static 96]);
/* Whether the epoch's own file is beside the log, or at its path, and still holds it. */
bool truth_is_intact(const struct truth *t, size_t epoch);

/* Whole lines, then a part of one (part_bytes 0: none), at the end of the file, which is made if need
 * be. cr: the part ends with a CR. */
void truth_append(struct truth *t, uint32_t lines, uint32_t line_bytes, uint32_t part_bytes, bool cr);
/* The same to the file that was renamed last, as long as nothing came after it. */
void truth_append_late(struct truth *t, uint32_t lines);
/* Renames it away. make: a new one is made, empty. */
void truth_rotate(struct truth *t, bool make, uint32_t late_lines);
/* copy: kept beside; lost_lines: written between the copy and the truncation. */
void truth_truncate(struct truth *t, bool copy, uint32_t lost_lines);
/* After a truncation: grows to at least what it was. */
void truth_regrow(struct truth *t, bool exactly);
void truth_replace(struct truth *t, uint32_t lines);
void truth_delete(struct truth *t);
void truth_empty_archive(struct truth *t, uint32_t which);
void truth_delete_archive(struct truth *t, uint32_t which);
void truth_compress_archive(struct truth *t, uint32_t which);
void truth_copy_beside(struct truth *t);
void truth_fini(struct truth *t);

#endif
