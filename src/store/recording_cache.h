/* What is known of a run from the end of its events.jsonl. Internal to recording. */
#ifndef STORE_RECORDING_CACHE_H
#define STORE_RECORDING_CACHE_H

#include <time.h>

#include "model/digest.h"
#include "model/run_completion.h"
#include "store/recording.h"
#include "store/recording_file.h"

enum recording_phase {
	RECORDING_UNKNOWN, /* nothing was said of it */
	RECORDING_RUNNING,
	RECORDING_ENDED,
};

struct recording_cache {
	/* Of the file: */
	dev_t device;
	ino_t inode;
	uint64_t scanned_bytes; /* read up to here, where a line begins */
	struct digest_table young, old; /* keys; when the young are many they become the old */
	enum recording_phase phase;     /* by the last event that says so */
	bool has_completion;            /* which is run.completed as we write it: */
	struct run_completion completion;

	/* The file whose entry in its folder is on disk. */
	dev_t synced_device;
	ino_t synced_inode;

	/* Of run-info.yaml, when it was read: */
	bool has_info;
	struct stat info_stat;
	bool is_ended;
};

void recording_cache_fini(struct recording_cache *cache);

/* Reads on to the end of the file, which is locked; of one that is long, the end of it. 0 or
 * -errno, with everything forgotten. */
int recording_cache_extend(struct recording_cache *cache, const struct recording_file *file);

/* Forgets what was in the file. */
void recording_cache_forget(struct recording_cache *cache);

bool recording_cache_knows(const struct recording_cache *cache, const struct digest *key);

/* 0 or -ENOMEM. */
int recording_cache_add(struct recording_cache *cache, const struct digest *key);

/* Whether run-info.yaml says that the run has ended. cache may be NULL. Without the file it has
 * not. 0 or as run_info_read(). */
int recording_cache_has_ended(struct recording_cache *cache, int dir_fd, const char *run_info,
                              bool *ret_has_ended);

#endif
