#include "follow/message_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/must.h"
#include "base/num.h"
#include "model/message.h"

/* Holds a reference to its generation while it runs: all but the list is its job's then. */
struct search {
	struct offload_job job;
	TAILQ_ENTRY(search) entry;
	bool is_running;

	char id[MESSAGE_ID_BYTES + 1];
	uint64_t legacy_line; /* that an old entry with this id begins with; 0: it is none of theirs */
	bool is_verbatim;     /* in YAML it stands as it is, unless it is written with escapes */

	struct message_searches *searches; /* that it is one of */
	struct generation *generation;
	uint64_t upto;
	struct message_position next; /* looked through up to here, whatever may follow */
	uint64_t seen_bytes;          /* and up to here as things stood */
	bool is_ahead;                /* the last slice was of use */
	bool is_found;
	struct message_position behind;
};

/* Those not used for longest come first. */
struct message_searches {
	struct lore lore;
	TAILQ_HEAD(, search) list;
	size_t count, running;
};

static void
free_searches(struct lore *lore)
{
	struct message_searches *searches = (struct message_searches *)lore;
	struct search *search;

	must(searches->running == 0);
	while ((search = TAILQ_FIRST(&searches->list))) {
		TAILQ_REMOVE(&searches->list, search, entry);
		free(search);
	}
	free(searches);
}

/* Each search is a job of its own. */
static const struct lore_kind kind = { .free = free_searches };

static struct message_searches *
get_searches(struct generation *generation)
{
	struct message_searches *searches = (struct message_searches *)generation->lore[LORE_SEARCHES];

	if (searches)
		return searches;
	searches = calloc(1, sizeof(*searches));
	if (!searches)
		return NULL;
	searches->lore.kind = &kind;
	TAILQ_INIT(&searches->list);
	generation->lore[LORE_SEARCHES] = &searches->lore;
	return searches;
}

/* --- in a helper thread -------------------------------------------------------------------------- */

static bool
may_be(const struct search *search, const uint8_t *head, size_t length)
{
	return !search->is_verbatim || memmem(head, length, search->id, strlen(search->id)) ||
	       memchr(head, '\\', length);
}

/* 1, 0, or -ENOMEM. */
static int
is_it(const struct search *search, const uint8_t *bytes, const struct message_cut *cut,
      uint64_t lines_before)
{
	struct message message;
	int error;
	bool is_same;

	if (cut->is_legacy)
		return lines_before + 1 == search->legacy_line;
	if (!may_be(search, bytes + cut->head_at, cut->head_bytes))
		return 0;
	error = message_parse(bytes, cut, lines_before, &message);
	if (error)
		return error == -ENOMEM ? error : 0;
	is_same = strcmp(message.msg_id, search->id) == 0;
	message_fini(&message);
	return is_same;
}

/* Goes on from a position as far as bytes, which are those there, allow. Returns 1 when the entry
 * was found, which the position is behind then; 0, or -ENOMEM. */
static int
look_through(const struct search *search, const uint8_t *bytes, size_t length, bool is_final,
             struct message_position *position)
{
	while (length > 0) {
		struct message_position before = *position;
		struct message_cut cut = message_scan_next(position, bytes, length, is_final);
		int is = 0;

		if (cut.kind == MESSAGE_CUT_MORE || cut.kind == MESSAGE_CUT_UNFINISHED)
			break;
		if (cut.kind == MESSAGE_CUT_ENTRY)
			is = is_it(search, bytes, &cut, before.lines);
		if (is < 0)
			*position = before;
		if (is != 0)
			return is;
		bytes += cut.consumed_bytes;
		length -= cut.consumed_bytes;
	}
	return 0;
}

/* The next window. Returns as look_through(). */
static int
look_further(struct search *search, uint8_t *bytes)
{
	struct message_position end;
	uint64_t start, cut;
	int64_t n;
	int found;

	message_scan_pass_hole(search->generation, search->upto, &search->next);
	start = search->next.offset;
	n = message_scan_read(search->generation, start, search->upto, bytes);
	if (n <= 0)
		return -EIO;
	found = look_through(search, bytes, (size_t)n, false, &search->next);
	search->behind = search->next;
	if (found != 0 || start + (uint64_t)n < search->upto)
		return found;
	/* What stands last may go on; as it is, it is looked at too. */
	end = search->next;
	cut = end.offset - start;
	found = look_through(search, bytes + cut, (size_t)((uint64_t)n - cut), true, &end);
	search->behind = end;
	if (found == 0)
		search->seen_bytes = search->upto;
	return found;
}

static void
search_slice(struct offload_job *job)
{
	struct search *search = (struct search *)job;
	uint64_t from = search->next.offset;
	uint8_t *bytes = malloc(MESSAGE_SCAN_BYTES);
	int found = bytes ? 0 : -ENOMEM;

	while (found == 0 && search->seen_bytes < search->upto &&
	       search->next.offset - from < MESSAGE_SCAN_SLICE_BYTES)
		found = look_further(search, bytes);
	free(bytes);
	search->is_found = found > 0;
	search->is_ahead = found >= 0;
}

/* --- in the loop's thread ------------------------------------------------------------------------ */

static void
searched_slice(struct offload_job *job)
{
	struct search *search = (struct search *)job;
	struct generation *generation = search->generation;
	struct source *source = generation->source;

	search->is_running = false;
	search->generation = NULL;
	search->searches->running--;
	/* Whoever waits asks again, and for the next slice; others may have theirs before. */
	if (search->is_ahead)
		source_notify(source);
	else
		source->tell = true; /* nothing could be read: not at once again */
	generation_unref(&generation);
	source->ops->release(source);
}

static void
set_id(struct search *search, const char *id, size_t id_bytes)
{
	static const char prefix[] = "LEGACY-LINE-";
	char canonical[MESSAGE_LEGACY_ID_BYTES];
	uint64_t line;

	memcpy(search->id, id, id_bytes);
	/* A quote may stand there twice, and a blank may be a line end. */
	search->is_verbatim = !strpbrk(search->id, "' ");
	if (id_bytes >= sizeof(prefix) && memcmp(id, prefix, sizeof(prefix) - 1) == 0 &&
	    num_parse_u64(id + sizeof(prefix) - 1, id_bytes - sizeof(prefix) + 1, &line) == 0 &&
	    message_legacy_id(line, canonical) == id_bytes && memcmp(canonical, id, id_bytes) == 0)
		search->legacy_line = line;
}

static struct search *
find(struct message_searches *searches, const char *id, size_t id_bytes)
{
	struct search *search;

	TAILQ_FOREACH (search, &searches->list, entry)
		if (strlen(search->id) == id_bytes && memcmp(search->id, id, id_bytes) == 0)
			return search;
	return NULL;
}

/* In the place of the one that was not asked for for longest, if there are enough. */
static struct search *
add(struct message_searches *searches, const char *id, size_t id_bytes)
{
	struct search *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	set_id(search, id, id_bytes);
	search->searches = searches;
	if (searches->count >= MESSAGE_SEARCHES_KEPT) {
		struct search *old;

		/* Fewer run than are kept. */
		TAILQ_FOREACH (old, &searches->list, entry)
			if (!old->is_running)
				break;
		must(old);
		TAILQ_REMOVE(&searches->list, old, entry);
		searches->count--;
		free(old);
	}
	TAILQ_INSERT_TAIL(&searches->list, search, entry);
	searches->count++;
	return search;
}

int
message_search(struct offload *offload, struct generation *generation, const char *id,
               size_t id_bytes, uint64_t upto, struct message_position *ret_behind)
{
	struct message_searches *searches;
	struct search *search;

	if (id_bytes == 0 || id_bytes > MESSAGE_ID_BYTES || memchr(id, '\0', id_bytes))
		return -EINVAL;
	searches = get_searches(generation);
	if (!searches)
		return -ENOMEM;
	search = find(searches, id, id_bytes);
	if (search) {
		TAILQ_REMOVE(&searches->list, search, entry);
		TAILQ_INSERT_TAIL(&searches->list, search, entry);
		if (search->is_running)
			return -EAGAIN;
		if (search->is_found) {
			*ret_behind = search->behind;
			return 0;
		}
		if (search->seen_bytes >= upto)
			return -ENOENT;
	}
	if (upto == 0)
		return -ENOENT;
	if (searches->running >= MESSAGE_SEARCHES_RUNNING)
		return -EAGAIN;
	if (!search)
		search = add(searches, id, id_bytes);
	if (!search)
		return -ENOMEM;
	search->generation = generation_ref(generation);
	search->upto = upto;
	search->is_running = true;
	search->is_ahead = false; /* where the job is dropped, it stays so */
	searches->running++;
	generation->source->ops->hold(generation->source);
	offload_submit(offload, &search->job, search_slice, searched_slice);
	return -EAGAIN;
}
