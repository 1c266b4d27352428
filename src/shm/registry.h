/*
 * The registry of runs in shared memory, as its readers see it (workers, runstreamctl).
 * Discovery is its only writer (registry_writer.h). Readers map it read-only and take no lock;
 * what they read is input: every length and index is checked, and a layout version that is not
 * ours is refused.
 *
 * A run keeps its slot for as long as it is known; slots of deleted runs are used again last.
 */
#ifndef SHM_REGISTRY_H
#define SHM_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	REGISTRY_NAME_BYTES = 128,  /* longest run id, project and task name */
	REGISTRY_STATUS_BYTES = 31, /* longest status word; a longer one is cut */
};

struct registry; /* a mapping */

/* The files of a run that are streamed. */
enum registry_file { REGISTRY_STDOUT, REGISTRY_STDERR, REGISTRY_EVENTS, REGISTRY_FILES };

/* How much there was of each when the run was seen to be over: all of it was written before. */
struct registry_ending {
	bool is_known;
	/* It went on since, and ended again, without being seen meanwhile: there is more in the files. */
	bool is_outdated;
	int64_t written_ms; /* when the last of them was, since the epoch, to the second; 0: none */
	struct {
		uint64_t bytes;
		uint32_t identity; /* file_identity(); 0: there was no file */
		uint64_t fingerprint; /* of all of it, as in ids (model/fingerprint.h); 0: not known */
	} files[REGISTRY_FILES];
};

/* A copy of one run, consistent in itself. Strings are NUL-terminated. */
struct registry_run {
	uint32_t slot;    /* its index: below registry_capacity() */
	uint32_t version; /* grows with each change of the slot */
	char run_id[REGISTRY_NAME_BYTES + 1];
	char project_id[REGISTRY_NAME_BYTES + 1]; /* "" if unknown */
	char task_id[REGISTRY_NAME_BYTES + 1];
	/* Where it lies beneath the runs directory: <path_project>/<path_task>/runs/<run_id>, or
	 * <run_id> when both are "". */
	char path_project[REGISTRY_NAME_BYTES + 1];
	char path_task[REGISTRY_NAME_BYTES + 1];
	char status[REGISTRY_STATUS_BYTES + 1]; /* "unknown" without a run-info */
	bool is_terminal; /* completed, failed, cancelled, crashed, stopped */
	bool is_deleted;  /* its folder is gone: 410 */
	int32_t exit_code; /* -1 while running or unknown */
	int64_t start_time_ms; /* since the epoch; 0: unknown */
	int64_t end_time_ms;
	int64_t first_seen_ms;
	/* The last one; kept while the run goes on, until it ends again. */
	struct registry_ending ending;
	/* Of those that registry_changes_now() counts, the change by which it last went on after an
	 * end, or was seen to have; 0: none did. The writer's own, as slot and version are. */
	uint64_t went_on_at;
};

/* Maps a registry read-only; borrows fd. -EPROTO: not a registry; -EPROTONOSUPPORT: another
 * layout version; other -errno. Returns owned. */
int registry_open(int fd, struct registry **ret_registry);
void registry_close(struct registry **registry);

uint32_t registry_capacity(const struct registry *registry);
/* A number of this registry's own: slots, and when runs were first seen, are of no other one. */
uint32_t registry_epoch(const struct registry *registry);
/* Slots in use so far, deleted ones included: iterate 0 … count-1 with registry_at(). */
uint32_t registry_count(const struct registry *registry);

/* Finds a run by id in constant time. 0, -ENOENT, or -EAGAIN when the writer kept changing it. */
int registry_find(const struct registry *registry, const char *run_id, struct registry_run *ret_run);
/* Copies the run in a slot. 0, -ENOENT (empty, or out of range), -EAGAIN. */
int registry_at(const struct registry *registry, uint32_t slot, struct registry_run *ret_run);

/* Writes the path beneath the runs directory; returns its length. capacity >= 3 * 129 + 8. */
size_t registry_run_path(const struct registry_run *run, char *ret_path, size_t capacity);

/*
 * The change feed: a bounded ring of slots that changed. *cursor is the reader's own place
 * (registry_changes_now() to begin). Copies at most most slots and moves *cursor. Returns their
 * number, or -EOVERFLOW when the reader fell too far behind: it then looks at what it knows
 * anew; *cursor is the present again.
 */
uint64_t registry_changes_now(const struct registry *registry);
ssize_t registry_changes(const struct registry *registry, uint64_t *cursor, uint32_t *ret_slots,
                         size_t most);

/*
 * Looks: discovery counts those it began and those it finished. Who asks for a fresh look reads
 * registry_looks_begun() = n, rings discovery's bell, and waits until registry_looks_finished()
 * is above n: that look began after the question.
 *
 * A look may have left out what hung, or could not be listed just then. Who is to say that
 * something is not there waits until registry_looks_whole() is above n.
 */
uint64_t registry_looks_begun(const struct registry *registry);
uint64_t registry_looks_finished(const struct registry *registry);
uint64_t registry_looks_whole(const struct registry *registry);
/* Whether there are runs for which there was no room, as of the last look: one that is not found may be there. */
bool registry_is_full(const struct registry *registry);
/*
 * Whether whoever asked about one run by its slot, when looks_begun() was look, has an answer: 1;
 * 0: not yet; -EAGAIN: another discovery took over, and may not have heard the question.
 */
int registry_look_answered(const struct registry *registry, uint64_t look);
/* Whether the run in a slot could not be looked at when somebody asked about it last (what it lies on hangs,
 * say): the look left it out, and is no answer. */
bool registry_is_left_out(const struct registry *registry, uint32_t slot);

#endif
