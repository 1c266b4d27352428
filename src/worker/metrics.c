#include "worker/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"

enum { LABELS_BYTES = 96, MOST_SOURCES = INSTANCE_WORKERS_MAX + 2 };

/* A process whose figures are told. */
struct source {
	enum counters_of of;
	char labels[LABELS_BYTES];     /* of what its kind of process alone counts: worker="1", or "" */
	char any_labels[LABELS_BYTES]; /* of what every process counts */
	struct counters_values values;
};

struct sources {
	size_t count;
	struct source of[MOST_SOURCES];
};

void
metrics_put_escaped(struct buf *to, const char *text, bool is_label)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '\n' || (*text == '"' && is_label))
			buf_putc(to, '\\');
		buf_putc(to, *text == '\n' ? 'n' : *text);
	}
}

/* --- the format --------------------------------------------------------------------------------- */

static const char *
type_of(enum counters_kind kind)
{
	return kind == COUNTERS_counter ? "counter" : kind == COUNTERS_histogram ? "histogram" : "gauge";
}

/* Its samples follow: a metric is told in one piece. */
static void
put_head(struct buf *to, const char *name, enum counters_kind kind, const char *help)
{
	buf_printf(to, "# HELP %s ", name);
	metrics_put_escaped(to, help, false);
	buf_printf(to, "\n# TYPE %s %s\n", name, type_of(kind));
}

static void
put_value(struct buf *to, uint64_t value, uint64_t divisor)
{
	buf_put_u64(to, value / divisor);
	if (divisor > 1)
		buf_printf(to, ".%0*llu", divisor == 1000 ? 3 : 6, (unsigned long long)(value % divisor));
	buf_putc(to, '\n');
}

/* labels: what stands between the braces, or "". */
static void
put_sample(struct buf *to, const char *name, const char *suffix, const char *labels, uint64_t value,
           uint64_t divisor)
{
	buf_puts(to, name);
	buf_puts(to, suffix);
	if (*labels)
		buf_printf(to, "{%s}", labels);
	buf_putc(to, ' ');
	put_value(to, value, divisor);
}

/* --- what is counted -------------------------------------------------------------------------------- */

/* labels, and one more. */
static void
add_label(char to[static 2 * LABELS_BYTES], const char *labels, const char *label, const char *value)
{
	snprintf(to, 2 * LABELS_BYTES, "%s%s%s=\"%s\"", labels, *labels ? "," : "", label, value);
}

static void
put_histogram(struct buf *to, const char *name, const char *labels, const uint64_t *words)
{
	uint64_t sum = 0;
	char more[2 * LABELS_BYTES];

	for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
		sum += words[i];
		add_label(more, labels, "le", counters_bounds_text[i]);
		put_sample(to, name, "_bucket", more, sum, 1);
	}
	put_sample(to, name, "_sum", labels, words[COUNTERS_BUCKETS], 1000000);
	put_sample(to, name, "_count", labels, sum, 1);
}

static void
put_figures(struct buf *to, const struct counters_entry *entry, const char *name,
            const struct source *source)
{
	const uint64_t *words = counters_words_of(&source->values) + entry->first;
	const char *labels = entry->of == COUNTERS_OF_any ? source->any_labels : source->labels;
	uint64_t divisor = counters_divisor(entry->name);

	if (entry->kind == COUNTERS_histogram) {
		put_histogram(to, name, labels, words);
		return;
	}
	for (size_t i = 0; i < entry->set->count; i++) {
		char more[2 * LABELS_BYTES];

		if (entry->set->label)
			add_label(more, labels, entry->set->label, entry->set->words[i]);
		put_sample(to, name, "", entry->set->label ? more : labels, words[i], divisor);
	}
}

static struct source *
add_source(struct sources *sources, enum counters_of of, const char *process, uint32_t worker)
{
	struct source *source = &sources->of[sources->count++];

	source->of = of;
	if (worker > 0) {
		snprintf(source->labels, LABELS_BYTES, "worker=\"%u\"", worker);
		snprintf(source->any_labels, LABELS_BYTES, "process=\"%s\",worker=\"%u\"", process, worker);
	} else {
		*source->labels = '\0';
		snprintf(source->any_labels, LABELS_BYTES, "process=\"%s\"", process);
	}
	return source;
}

/* Who is alive is asked once, so that all metrics tell of the same workers. */
static void
gather(struct sources *sources, const struct peers *peers)
{
	for (uint32_t i = 0; i < peers_count(peers); i++)
		if (peers_lives(peers, i))
			peers_read_counters(
				peers, i, &add_source(sources, COUNTERS_OF_worker, "worker", i + 1)->values);
	/* What is known of runs outlives a discovery that is being started again. */
	peers_read_discovery(peers,
	                     &add_source(sources, COUNTERS_OF_discovery, "discovery", 0)->values);
	peers_read_supervisor(peers,
	                      &add_source(sources, COUNTERS_OF_supervisor, "supervisor", 0)->values);
}

static void
put_counters(struct buf *to, const struct sources *sources)
{
	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];
		char name[COUNTERS_NAME_BYTES];

		counters_format_name(entry->name, entry->kind, name);
		put_head(to, name, entry->kind, entry->help);
		for (size_t at = 0; at < sources->count; at++)
			if (entry->of == COUNTERS_OF_any || entry->of == sources->of[at].of)
				put_figures(to, entry, name, &sources->of[at]);
	}
}

/* --- what is known otherwise -------------------------------------------------------------------------- */

struct known {
	const struct peers *peers;
	const struct registry *runs, *buses;
};

typedef uint64_t process_figure_fn(const struct peers *peers, uint32_t process);

static uint64_t
process_lives(const struct peers *peers, uint32_t process)
{
	return process == BOARD_DISCOVERY ? board_pid(peers_board(peers), process) > 0
	                                  : peers_lives(peers, process - 1);
}

static uint64_t
process_restarts(const struct peers *peers, uint32_t process)
{
	return board_restarts(peers_board(peers), process);
}

static uint64_t
process_replacements(const struct peers *peers, uint32_t process)
{
	return board_replacements(peers_board(peers), process);
}

static void
put_of_processes(struct buf *to, const char *name, const struct peers *peers,
                 process_figure_fn *figure)
{
	put_sample(to, name, "", "process=\"discovery\"", figure(peers, BOARD_DISCOVERY), 1);
	for (uint32_t process = 1; process <= peers_count(peers); process++) {
		char labels[LABELS_BYTES];

		snprintf(labels, sizeof(labels), "process=\"worker\",worker=\"%u\"", process);
		put_sample(to, name, "", labels, figure(peers, process), 1);
	}
}

#define PUT(derived) static void put_##derived(struct buf *to, const char *name, const struct known *known)

PUT(up)
{
	put_of_processes(to, name, known->peers, process_lives);
}

PUT(restarts)
{
	put_of_processes(to, name, known->peers, process_restarts);
}

PUT(replacements)
{
	put_of_processes(to, name, known->peers, process_replacements);
}

PUT(runs_capacity)
{
	put_sample(to, name, "", "", registry_capacity(known->runs), 1);
}

PUT(buses_capacity)
{
	put_sample(to, name, "", "", registry_capacity(known->buses), 1);
}

PUT(build_info)
{
	(void)known;
	put_sample(to, name, "", "version=\"" PACKAGE_VERSION "\"", 1, 1);
}

static void (*const put_derived[COUNTERS_DERIVED_COUNT])(struct buf *, const char *,
                                                         const struct known *) = {
#define ENTRY(name, kind, labels, help) put_##name,
	COUNTERS_DERIVED(ENTRY)
#undef ENTRY
};

int
metrics_put(struct buf *to, const struct peers *peers, const struct registry *runs,
            const struct registry *buses)
{
	const struct known known = { .peers = peers, .runs = runs, .buses = buses };
	struct sources *sources = malloc(sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	sources->count = 0;
	gather(sources, peers);
	put_counters(to, sources);
	free(sources);
	for (size_t i = 0; i < COUNTERS_DERIVED_COUNT; i++) {
		const struct counters_derived *about = &counters_derived_list[i];
		char name[COUNTERS_NAME_BYTES];

		counters_format_name(about->name, about->kind, name);
		put_head(to, name, about->kind, about->help);
		put_derived[i](to, name, &known);
	}
	return 0;
}
