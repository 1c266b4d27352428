/*
 * Counters of one worker: a segment of its own, which it alone writes. Each is defined once,
 * in the list below, from which the struct, `runstreamctl status` and /metrics are made.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, kind, help): kind is counter (only grows) or gauge. */
#define COUNTERS(X) \
	X(requests, counter, "requests that arrived whole") \
	X(requests_bad, counter, "connections ended for breaking FastCGI or for taking too long") \
	X(clients, gauge, "streams open now") \
	X(clients_refused, counter, "streams refused for max_clients_per_run or max_clients_per_worker") \
	X(clients_unlisted, counter, "streams that had no place in the list of clients") \
	X(clients_timed_out, counter, "streams ended because the client took nothing for client_timeout_s") \
	X(lines_sent, counter, "log events handed to the kernel, one for each client") \
	X(bytes_sent, counter, "bytes handed to the kernel") \
	X(posts, counter, "requests to record that were fulfilled") \
	X(posts_refused, counter, "requests to record that were refused or failed") \
	X(events_recorded, counter, "posted events appended; not what begins, ends or resumes a run") \
	X(recording_jobs, counter, "times that the recorder went to work, for one request or several") \
	X(gaps, counter, "gap events sent") \
	X(entries_malformed, counter, "malformed events and messages passed over in rendering") \
	X(followers, gauge, "files being followed") \
	X(files_open, gauge, "descriptors of followed files") \
	X(channels, gauge, "distinct streams with at least one client") \
	X(blocks_rendered, counter, "blocks of events rendered, whoever shares them") \
	X(cache_bytes, gauge, "rendered blocks kept for clients that are behind")

struct counters_values {
#define COUNTERS_MEMBER(name, kind, help) uint64_t name;
	COUNTERS(COUNTERS_MEMBER)
#undef COUNTERS_MEMBER
};

/* The list as data, in its order, for those who show all of it; kind is a word. */
enum { COUNTERS_COUNT = sizeof(struct counters_values) / sizeof(uint64_t) };
struct counters_entry {
	const char *name, *kind, *help;
};
extern const struct counters_entry counters_list[COUNTERS_COUNT];
/* The value of an entry (its index). */
uint64_t counters_value(const struct counters_values *values, size_t entry);

struct counters;

int counters_create(void); /* returns a memfd or -errno */
/* Maps it (borrows fd). 0 or -errno as registry_open(). Returns owned. */
int counters_open(int fd, bool writable, struct counters **ret_counters);
void counters_close(struct counters **counters);
/* The owner's values, to be changed in place (plain 8-byte stores; readers use counters_read). */
struct counters_values *counters_own(struct counters *counters);
void counters_read(const struct counters *counters, struct counters_values *ret_values);

#endif
