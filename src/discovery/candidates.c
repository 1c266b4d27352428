/* Folders in a runs folder that may become runs: each look has a few of them looked at again. */
#include <stdlib.h>
#include <string.h>

#include "discovery/state.h"

/* Beyond so many, more are found when their parent is listed. */
enum { CANDIDATES_MAX = 100000 };

static void
watch(struct discovery *d, struct candidate *candidate)
{
	char path[PATH_BYTES_MAX];
	int fd;

	if (!watch_may_add(d))
		return;
	path_of_run(candidate->folder, candidate->name, path);
	if (call_open(d, path, &fd) != 0)
		return;
	watch_candidate(d, candidate, path, fd);
	call_close(&fd);
}

void
candidate_look(struct discovery *d, struct candidate *candidate)
{
	struct folder *folder = candidate->folder;
	char name[REGISTRY_NAME_BYTES + 1];
	int is_run = runs_probe(d, folder, candidate->name);

	if (is_for_now(is_run))
		d->look_left_out = true;
	if (is_run <= 0 && !is_gone(is_run))
		return;
	strcpy(name, candidate->name);
	/* First, since a run's watch is another one on the same folder. */
	candidate_free(d, candidate);
	if (is_run > 0 && runs_add(d, folder, name) != 0)
		turns_list_again(d, folder);
}

void
candidate_new(struct discovery *d, struct folder *folder, const char *name)
{
	size_t length = strlen(name);
	struct candidate *candidate;

	if (d->candidate_count >= CANDIDATES_MAX ||
	    !(candidate = malloc(sizeof(*candidate) + length + 1))) {
		turns_list_again(d, folder);
		return;
	}
	candidate->folder = folder;
	candidate->wd = -1;
	candidate->round = d->round;
	memcpy(candidate->name, name, length + 1);
	HASH_ADD_KEYPTR(hh, folder->candidates, candidate->name, length, candidate);
	TAILQ_INSERT_TAIL(&d->candidates, candidate, entry);
	d->candidate_count++;
	watch(d, candidate);
	/* A file made before the watch was there tells nothing. */
	candidate_look(d, candidate);
}

void
candidates_look(struct discovery *d, size_t most)
{
	if (most > d->candidate_count)
		most = d->candidate_count;
	for (; most > 0 && !TAILQ_EMPTY(&d->candidates); most--) {
		struct candidate *candidate = TAILQ_FIRST(&d->candidates);

		TAILQ_REMOVE(&d->candidates, candidate, entry);
		TAILQ_INSERT_TAIL(&d->candidates, candidate, entry);
		candidate_look(d, candidate);
	}
}
