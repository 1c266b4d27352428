/*
 * Whose turn it is to be looked at: in a look, those of which something is known to be due or
 * that nobody tells of; and some of the others, in turn. So a look costs what it looks at, however
 * many folders there are.
 */
#include "discovery/state.h"

/* Whether what happens to it is told. */
static bool
is_watched(const struct folder *folder)
{
	if (folder->kind != FOLDER_TASK)
		return folder->wd >= 0;
	return (folder->wd >= 0 || !folder->is_listed) &&
	       (folder->above_wd >= 0 || (folder->is_listed && folder->bus != 0));
}

static void
move(struct discovery *d, struct folder *folder, struct folder_list *to)
{
	if (folder->turns)
		TAILQ_REMOVE(folder->turns, folder, turn);
	else
		d->wanted_count++;
	folder->turns = to;
	TAILQ_INSERT_TAIL(to, folder, turn);
}

void
turns_start(struct discovery *d)
{
	TAILQ_INIT(&d->wanted);
	TAILQ_INIT(&d->pending);
}

void
turns_want(struct discovery *d, struct folder *folder)
{
	/* What is found while a round goes on has its turn in it. */
	if (!folder->turns)
		move(d, folder, d->round_goes_on ? &d->pending : &d->wanted);
}

void
turns_list_again(struct discovery *d, struct folder *folder)
{
	folder->must_list = true;
	turns_want(d, folder);
}

void
turns_list_all(struct discovery *d)
{
	struct folder *folder;

	TAILQ_FOREACH(folder, &d->folders, entry) {
		turns_list_again(d, folder);
	}
	d->must_list_all = false;
}

void
turns_leave(struct discovery *d, struct folder *folder)
{
	if (d->trusted_next == folder)
		d->trusted_next = TAILQ_NEXT(folder, entry);
	if (!folder->turns)
		return;
	TAILQ_REMOVE(folder->turns, folder, turn);
	folder->turns = NULL;
	d->wanted_count--;
}

void
turns_begin(struct discovery *d)
{
	struct folder *folder;

	/* What is left of one that was set aside has its turn first. */
	d->round_goes_on = true;
	while ((folder = TAILQ_FIRST(&d->wanted)) != NULL)
		move(d, folder, &d->pending);
}

struct folder *
turns_next(struct discovery *d)
{
	struct folder *folder;

	while ((folder = TAILQ_FIRST(&d->pending)) != NULL) {
		if (folder->must_list || folder->is_racy || !is_watched(folder)) {
			move(d, folder, &d->wanted); /* until it is seen that it is not any more */
			return folder;
		}
		turns_leave(d, folder);
	}
	d->round_goes_on = false;
	return NULL;
}

struct folder *
turns_next_trusted(struct discovery *d)
{
	struct folder *folder = d->trusted_next ? d->trusted_next : TAILQ_FIRST(&d->folders);

	d->trusted_next = TAILQ_NEXT(folder, entry);
	return folder;
}
