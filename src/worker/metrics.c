#include "worker/metrics.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

/* The words of the format, which are also those of the list of counters. */
static const char counter[] = "counter", gauge[] = "gauge";

enum { NAME_BYTES = 32 };

void
metrics_put_escaped(struct buf *to, const char *text, bool is_label)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '\n' || (*text == '"' && is_label))
			buf_putc(to, '\\');
		buf_putc(to, *text == '\n' ? 'n' : *text);
	}
}

static void
put_name(struct buf *to, const char *name, const char *kind)
{
	buf_puts(to, "runstream_");
	buf_puts(to, name);
	if (strcmp(kind, counter) == 0)
		buf_puts(to, "_total");
}

/* Its samples follow: a metric is told in one piece. */
static void
put_head(struct buf *to, const char *name, const char *kind, const char *help)
{
	buf_puts(to, "# HELP ");
	put_name(to, name, kind);
	buf_putc(to, ' ');
	metrics_put_escaped(to, help, false);
	buf_puts(to, "\n# TYPE ");
	put_name(to, name, kind);
	buf_printf(to, " %s\n", kind);
}

static void
put_sample(struct buf *to, const char *name, const char *kind, const char *label,
           const char *text, uint64_t value)
{
	put_name(to, name, kind);
	buf_printf(to, "{%s=\"", label);
	metrics_put_escaped(to, text, true);
	buf_puts(to, "\"} ");
	buf_put_u64(to, value);
	buf_putc(to, '\n');
}

static void
put_gauge(struct buf *to, const char *name, const char *help, uint64_t value)
{
	put_head(to, name, gauge, help);
	put_name(to, name, gauge);
	buf_putc(to, ' ');
	buf_put_u64(to, value);
	buf_putc(to, '\n');
}

static void
put_counters(struct buf *to, const struct peers *peers)
{
	struct counters_values values[INSTANCE_WORKERS_MAX];
	uint32_t living[INSTANCE_WORKERS_MAX], count = 0;

	/* Who is alive is asked once, so that all metrics tell of the same workers. */
	for (uint32_t i = 0; i < peers_count(peers); i++)
		if (peers_lives(peers, i)) {
			peers_read_counters(peers, i, &values[count]);
			living[count++] = i;
		}
	for (size_t entry = 0; entry < COUNTERS_COUNT; entry++) {
		const struct counters_entry *about = &counters_list[entry];

		put_head(to, about->name, about->kind, about->help);
		for (uint32_t i = 0; i < count; i++) {
			char worker[NAME_BYTES];

			snprintf(worker, sizeof(worker), "%u", living[i] + 1);
			put_sample(to, about->name, about->kind, "worker", worker,
			           counters_value(&values[i], entry));
		}
	}
}

/* As `runstreamctl status` names them. */
static void
name_process(uint32_t process, char ret_name[static NAME_BYTES])
{
	if (process == BOARD_DISCOVERY)
		snprintf(ret_name, NAME_BYTES, "discovery");
	else
		snprintf(ret_name, NAME_BYTES, "worker-%u", process);
}

static bool
process_lives(const struct peers *peers, uint32_t process)
{
	return process == BOARD_DISCOVERY ? board_pid(peers_board(peers), process) > 0
	                                  : peers_lives(peers, process - 1);
}

static void
put_processes(struct buf *to, const struct peers *peers)
{
	char name[NAME_BYTES];

	put_head(to, "up", gauge, "whether a process is alive");
	for (uint32_t process = 0; process <= peers_count(peers); process++) {
		name_process(process, name);
		put_sample(to, "up", gauge, "process", name, process_lives(peers, process));
	}
	put_head(to, "restarts", counter, "times that a process was started again");
	for (uint32_t process = 0; process <= peers_count(peers); process++) {
		name_process(process, name);
		put_sample(to, "restarts", counter, "process", name,
		           board_restarts(peers_board(peers), process));
	}
}

void
metrics_put(struct buf *to, const struct peers *peers, const struct registry *runs,
            const struct registry *buses)
{
	put_counters(to, peers);
	put_processes(to, peers);
	put_gauge(to, "runs", "runs that are known, deleted ones included", registry_count(runs));
	put_gauge(to, "runs_capacity", "runs that there is room for: storage.max_runs",
	          registry_capacity(runs));
	put_gauge(to, "buses", "message buses that are known, deleted ones included",
	          registry_count(buses));
	put_gauge(to, "buses_capacity", "message buses that there is room for: storage.max_buses",
	          registry_capacity(buses));
	put_head(to, "build_info", gauge, "1, with the version");
	put_sample(to, "build_info", gauge, "version", PACKAGE_VERSION, 1);
}
