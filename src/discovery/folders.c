/* The folders that are known: a tree, and in one list from the root down. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "discovery/state.h"

int
folder_stat(struct discovery *d, const struct folder *folder, struct stat *ret_st)
{
	char path[PATH_BYTES_MAX];

	int error;

	path_of_listed(folder, path);
	error = call_stat(d, path, d->root_fd, path, ret_st);
	if (error)
		return error;
	return S_ISDIR(ret_st->st_mode) ? 0 : -ENOTDIR;
}

struct folder *
folder_new(struct discovery *d, struct folder *parent, enum folder_kind kind, const char *name)
{
	size_t length = strlen(name);
	struct folder *folder = calloc(1, sizeof(*folder) + length + 1);

	if (!folder) {
		if (parent)
			turns_list_again(d, parent); /* it is found there once there is memory again */
		return NULL;
	}
	folder->kind = kind;
	folder->parent = parent;
	folder->wd = -1;
	folder->above_wd = -1;
	folder->must_list = true;
	memcpy(folder->name, name, length + 1);
	if (parent)
		HASH_ADD_KEYPTR(hh, parent->children, folder->name, length, folder);
	TAILQ_INSERT_TAIL(&d->folders, folder, entry);
	d->folder_count++;
	turns_want(d, folder);
	return folder;
}

void
candidate_free(struct discovery *d, struct candidate *candidate)
{
	watch_drop(d, &candidate->wd);
	HASH_DEL(candidate->folder->candidates, candidate);
	TAILQ_REMOVE(&d->candidates, candidate, entry);
	d->candidate_count--;
	free(candidate);
}

void
folder_empty(struct discovery *d, struct folder *folder)
{
	struct folder *child, *next_child;
	struct candidate *candidate, *next_candidate;

	while (folder->first_run != 0)
		runs_delete(d, folder->first_run - 1);
	for (candidate = folder->candidates; candidate; candidate = next_candidate) {
		next_candidate = candidate->hh.next;
		candidate_free(d, candidate);
	}
	for (child = folder->children; child; child = next_child) {
		next_child = child->hh.next;
		folder_remove(d, child);
	}
	folder->is_listed = false;
}

void
folder_remove(struct discovery *d, struct folder *child)
{
	folder_empty(d, child);
	buses_delete(d, child);
	watch_drop(d, &child->wd);
	watch_drop(d, &child->above_wd);
	turns_leave(d, child);
	HASH_DEL(child->parent->children, child);
	TAILQ_REMOVE(&d->folders, child, entry);
	d->folder_count--;
	free(child);
}

struct folder *
folder_child(struct folder *folder, const char *name)
{
	struct folder *child;

	HASH_FIND_STR(folder->children, name, child);
	return child;
}

int
folders_start(struct discovery *d)
{
	TAILQ_INIT(&d->folders);
	TAILQ_INIT(&d->candidates);
	turns_start(d);
	d->root = folder_new(d, NULL, FOLDER_ROOT, "");
	return d->root ? 0 : -ENOMEM;
}

/* Unlike folder_empty() this says nothing of runs: they are there for the next discovery. */
void
folders_stop(struct discovery *d)
{
	struct folder *folder;
	struct candidate *candidate;

	while ((candidate = TAILQ_FIRST(&d->candidates)) != NULL)
		candidate_free(d, candidate);
	TAILQ_FOREACH(folder, &d->folders, entry) {
		HASH_CLEAR(hh, folder->children); /* which needs the children still to be there */
	}
	while ((folder = TAILQ_FIRST(&d->folders)) != NULL) {
		TAILQ_REMOVE(&d->folders, folder, entry);
		free(folder);
	}
	d->root = NULL;
}

struct candidate *
folder_candidate(struct folder *folder, const char *name)
{
	struct candidate *candidate;

	HASH_FIND_STR(folder->candidates, name, candidate);
	return candidate;
}
