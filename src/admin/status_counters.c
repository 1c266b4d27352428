#include "admin/status_counters.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 64 };

static const char *const kinds[] = {
	[COUNTERS_counter] = "counter",
	[COUNTERS_gauge] = "gauge",
	[COUNTERS_peak] = "peak",
};

/* --- reading ------------------------------------------------------------------------------------- */

/* What a dead worker counted does not count: its streams are gone. */
static void
read_worker(const struct view *view, uint32_t worker, struct counters_values *ret_values)
{
	memset(ret_values, 0, sizeof(*ret_values));
	if (view_worker_lives(view, worker))
		counters_read(view->workers[worker].counters, ret_values);
}

static void
read_all(const struct view *view, struct counters_values *ret_values)
{
	struct counters_values values;

	counters_read(view->discovery_counters, ret_values);
	counters_read(view->supervisor_counters, &values);
	counters_add(ret_values, &values);
	for (uint32_t i = 0; i < view->worker_count; i++) {
		read_worker(view, i, &values);
		counters_add(ret_values, &values);
	}
}

static const uint64_t *
words_at(const struct counters_values *values, const struct counters_entry *entry)
{
	return counters_words_of(values) + entry->first;
}

static bool
is_of_workers(const struct counters_entry *entry)
{
	return entry->of == COUNTERS_OF_worker || entry->of == COUNTERS_OF_any;
}

/* --- histograms ------------------------------------------------------------------------------------ */

/* The bound below which this part of all (in percent) lie, if there is one. */
static void
put_percentile(struct output *output, const char *key, const uint64_t *buckets, uint64_t count,
               unsigned percent)
{
	uint64_t sum = 0;

	for (size_t i = 0; count > 0 && i < COUNTERS_BUCKETS - 1; i++) {
		sum += buckets[i];
		if (sum >= (count * percent + 99) / 100) {
			output_count(output, key, counters_bounds_us[i]);
			return;
		}
	}
	output_unknown(output, key);
}

static void
put_histogram(struct output *output, const uint64_t *words)
{
	uint64_t count = 0;

	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		count += words[i];
	output_count(output, "count", count);
	if (count > 0)
		output_count(output, "mean_us", words[COUNTERS_BUCKETS] / count);
	else
		output_unknown(output, "mean_us");
	put_percentile(output, "p50_us", words, count, 50);
	put_percentile(output, "p99_us", words, count, 99);
}

static void
put_histograms(struct output *output, const struct counters_values *all)
{
	output_rows_begin(output, "times");
	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];
		char name[KEY_BYTES];

		if (entry->kind != COUNTERS_histogram)
			continue;
		/* The columns say the unit. */
		snprintf(name, sizeof(name), "%.*s", (int)(strlen(entry->name) - strlen("_us")),
		         entry->name);
		output_row_begin(output);
		output_string(output, "time", name);
		put_histogram(output, words_at(all, entry));
		output_row_end(output);
	}
	output_rows_end(output);
}

/* --- text -------------------------------------------------------------------------------------------- */

static void
put_row(struct output *output, const struct view *view, const struct counters_entry *entry,
        size_t word, const struct counters_values *all, const struct counters_values *workers)
{
	char key[KEY_BYTES];

	snprintf(key, sizeof(key), "%s%s%s", entry->name, entry->set->label ? "." : "",
	         entry->set->label ? entry->set->words[word] : "");
	output_row_begin(output);
	output_string(output, "counter", key);
	output_string(output, "kind", kinds[entry->kind]);
	output_count(output, "all", words_at(all, entry)[word]);
	for (uint32_t i = 0; i < view->worker_count; i++) {
		snprintf(key, sizeof(key), "worker_%u", i + 1);
		if (is_of_workers(entry))
			output_count(output, key, words_at(&workers[i], entry)[word]);
		else
			output_unknown(output, key);
	}
	output_row_end(output);
}

void
status_counters_put_tables(struct output *output, const struct view *view)
{
	struct counters_values all, workers[INSTANCE_WORKERS_MAX];

	read_all(view, &all);
	for (uint32_t i = 0; i < view->worker_count; i++)
		read_worker(view, i, &workers[i]);
	output_rows_begin(output, "counters");
	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		const struct counters_entry *entry = &counters_list[i];

		for (size_t word = 0; entry->kind != COUNTERS_histogram && word < entry->set->count; word++)
			put_row(output, view, entry, word, &all, workers);
	}
	output_rows_end(output);
	put_histograms(output, &all);
}

/* --- JSON ---------------------------------------------------------------------------------------------- */

static void
put_entry(struct output *output, const struct counters_entry *entry, const uint64_t *words)
{
	if (entry->kind == COUNTERS_histogram) {
		output_object_begin(output, entry->name);
		put_histogram(output, words);
		output_object_end(output);
	} else if (entry->set->label) {
		output_object_begin(output, entry->name);
		for (size_t i = 0; i < entry->set->count; i++)
			output_count(output, entry->set->words[i], words[i]);
		output_object_end(output);
	} else {
		output_count(output, entry->name, words[0]);
	}
}

void
status_counters_put_worker(struct output *output, const struct view *view, uint32_t worker)
{
	struct counters_values values = { 0 };

	if (worker < view->worker_count)
		read_worker(view, worker, &values);
	output_object_begin(output, "counters");
	for (size_t i = 0; i < COUNTERS_COUNT; i++)
		if (is_of_workers(&counters_list[i]))
			put_entry(output, &counters_list[i], words_at(&values, &counters_list[i]));
	output_object_end(output);
}

void
status_counters_put_all(struct output *output, const struct view *view)
{
	struct counters_values all;

	read_all(view, &all);
	output_object_begin(output, "counters");
	for (size_t i = 0; i < COUNTERS_COUNT; i++)
		put_entry(output, &counters_list[i], words_at(&all, &counters_list[i]));
	output_object_end(output);
}
