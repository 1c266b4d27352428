/*
 * check_counters PAGE [FILE…]: compares the list of figures (src/shm/counters_list.h) with
 * runstream-metrics(7), which must have an entry for each, beginning with the lines that the list
 * gives, and no others. In the other files (alert rules) every runstream_… that is named must exist.
 * Prints what is missing; that may be copied.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "shm/counters.h"

static int failures;

static const char *const kinds[] = { "counter", "gauge", "gauge", "histogram" };
static const char *const labels_of[] = { "worker", "", "", "process, worker" };

static char *
read_text(const char *name)
{
	char *text;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, NULL) != 0) {
		fprintf(stderr, "%s: cannot be read\n", name);
		exit(EXIT_FAILURE);
	}
	fd_close(&fd);
	return text;
}

static void
append_head(struct buf *to, const char *name, enum counters_kind kind, const char *label,
            const char *labels, const char *help)
{
	char full[COUNTERS_NAME_BYTES];

	counters_format_name(name, kind, full);
	buf_printf(to, ".It Li %s Pq %s", full, kinds[kind]);
	if (label || *labels)
		buf_puts(to, "; ");
	buf_printf(to, "%s%s%s\n", label ? label : "", label && *labels ? ", " : "", labels);
	buf_printf(to, "%c%s.\n", toupper((unsigned char)*help), help + 1);
}

static void
append_entry(struct buf *to, const struct counters_entry *entry)
{
	const struct counters_set *set = entry->set;

	append_head(to, entry->name, entry->kind, set->label, labels_of[entry->of], entry->help);
	if (!set->label)
		return;
	buf_printf(to, "By\n.Sq %s :\n.Li ", set->label);
	for (size_t i = 0; i < set->count; i++)
		buf_printf(to, "%s%s", i > 0 ? " , " : "", set->words[i]);
	buf_puts(to, " .\n");
}

static void
demand(const char *page, const char *name, struct buf *entry)
{
	if (!strstr(page, buf_string(entry))) {
		fprintf(stderr, "%s: missing:\n%s", name, buf_string(entry));
		failures++;
	}
	buf_fini(entry);
}

/* Whether that is the name of a metric; of a histogram also with what its samples have behind it. */
static bool
exists(const char *name, size_t length, bool may_be_sample)
{
	static const char *const suffixes[] = { "", "_bucket", "_sum", "_count" };
	bool found = false;

	for (size_t i = 0; i < COUNTERS_COUNT + COUNTERS_DERIVED_COUNT; i++) {
		bool is_counted = i < COUNTERS_COUNT;
		const struct counters_derived *derived =
			is_counted ? NULL : &counters_derived_list[i - COUNTERS_COUNT];
		enum counters_kind kind = is_counted ? counters_list[i].kind : derived->kind;
		char full[COUNTERS_NAME_BYTES], sample[COUNTERS_NAME_BYTES + 8];

		counters_format_name(is_counted ? counters_list[i].name : derived->name, kind, full);
		for (size_t s = 0; s < (may_be_sample && kind == COUNTERS_histogram ? 4 : 1); s++) {
			snprintf(sample, sizeof(sample), "%s%s", full, suffixes[s]);
			found = found || (strlen(sample) == length && memcmp(sample, name, length) == 0);
		}
	}
	return found;
}

static void
check_page(const char *name)
{
	static const char item[] = "\n.It Li runstream_";
	char *page = read_text(name);

	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		struct buf entry = BUF_INIT;

		append_entry(&entry, &counters_list[i]);
		demand(page, name, &entry);
	}
	for (size_t i = 0; i < COUNTERS_DERIVED_COUNT; i++) {
		const struct counters_derived *derived = &counters_derived_list[i];
		struct buf entry = BUF_INIT;

		append_head(&entry, derived->name, derived->kind, NULL, derived->labels, derived->help);
		demand(page, name, &entry);
	}
	for (const char *at = page; (at = strstr(at, item)); at++) {
		const char *metric = at + strlen("\n.It Li ");
		size_t length = strcspn(metric, " \n");

		if (!exists(metric, length, false)) {
			fprintf(stderr, "%s: there is no %.*s\n", name, (int)length, metric);
			failures++;
		}
	}
	free(page);
}

static void
check_mentions(const char *name)
{
	char *text = read_text(name);
	int mentions = 0;

	for (const char *at = text; (at = strstr(at, "runstream_")); at++) {
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");

		if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
			continue;
		mentions++;
		if (!exists(at, length, true)) {
			fprintf(stderr, "%s: there is no %.*s\n", name, (int)length, at);
			failures++;
		}
	}
	if (mentions == 0) {
		fprintf(stderr, "%s: names no metric\n", name);
		failures++;
	}
	free(text);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: check_counters PAGE [FILE...]\n", stderr);
		return 2;
	}
	check_page(argv[1]);
	for (int i = 2; i < argc; i++)
		check_mentions(argv[i]);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
