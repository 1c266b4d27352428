/*
 * All figures of an instance, each defined here and nowhere else. From this list come the layout
 * in shared memory (counters.h), /metrics, `runstreamctl status`, and what runstream-metrics(7)
 * has to say (compared by `make check`). Whoever counts something new adds a line.
 */
#ifndef SHM_COUNTERS_LIST_H
#define SHM_COUNTERS_LIST_H

/*
 * X(of, name, kind, set, help)
 *
 * of: who counts it, and so which label tells where it comes from: worker (label worker, from 1),
 *     discovery, supervisor (no label: there is one), any (each of them: label process, and worker).
 * name: in Prometheus with runstream_ before it. One that ends in _us or _ms is kept in micro- or
 *     milliseconds, and told in seconds: _seconds. Bytes and seconds are the only units.
 * kind: counter (only grows; _total behind the name); gauge; peak (a gauge of which the highest of
 *     all workers counts, not the sum); histogram (set durations).
 * set: one: a plain number, `counters->name`. Otherwise one of the sets below: a number for each of
 *     its words, `counters->name[COUNTERS_…]`, told apart by the set's label.
 * help: without a capital or a full stop, quotes, backslashes; bounded by what fits on a line or two.
 */
#define COUNTERS(X) \
	X(worker, requests, counter, one, "requests that arrived whole") \
	X(worker, requests_bad, counter, one, \
	  "connections ended for breaking FastCGI or for taking too long") \
	X(worker, clients, gauge, stream_kinds, "streams open now, those that wait for a run included") \
	X(worker, clients_limit, gauge, one, "streams that are taken at most: server.max_clients_per_worker") \
	X(worker, clients_refused, counter, refusals, "streams refused") \
	X(worker, clients_unlisted, counter, one, "streams that had no place in the list of clients") \
	X(worker, streams_begun, counter, stream_kinds, "streams asked for and not refused at once") \
	X(worker, streams_ended, counter, endings, "streams that are over, by how they ended") \
	X(worker, slowest_client_bytes, peak, one, \
	  "bytes that the client furthest behind has yet to be sent, as of the last look") \
	X(worker, slowest_client_lines, peak, one, \
	  "lines that the client furthest behind has yet to be sent, of those where they are known") \
	X(worker, lines_sent, counter, one, "log events handed to the kernel, one for each client") \
	X(worker, bytes_sent, counter, one, "bytes handed to the kernel") \
	X(worker, append_to_send_us, histogram, durations, \
	  "time from a growth of a file to the first sending of what it grew by") \
	X(worker, gaps, counter, gap_reasons, "gap events rendered, by their reason") \
	X(worker, entries_malformed, counter, one, \
	  "malformed events and messages passed over in rendering") \
	X(worker, posts, counter, one, "requests to record that were fulfilled") \
	X(worker, posts_refused, counter, one, "requests to record that were refused or failed") \
	X(worker, events_recorded, counter, one, \
	  "posted events appended; not what begins, ends or resumes a run") \
	X(worker, recording_jobs, counter, one, \
	  "times that the recorder went to work, for one request or several") \
	X(worker, followers, gauge, one, "files being followed") \
	X(worker, files_open, gauge, one, "descriptors of followed files") \
	X(worker, channels, gauge, one, "distinct streams with at least one client") \
	X(worker, blocks_rendered, counter, one, "blocks of events rendered, whoever shares them") \
	X(worker, cache_bytes, gauge, one, "rendered blocks kept for clients that are behind") \
	X(discovery, runs, gauge, statuses, "runs that are known and not deleted, by status") \
	X(discovery, buses, gauge, one, "message buses that are known and not deleted") \
	X(discovery, look_us, histogram, durations, "time that a look at the runs directory took") \
	X(discovery, last_look_timestamp_ms, gauge, one, \
	  "when the last look at the runs directory ended, since the epoch; 0: none has") \
	X(discovery, runs_dir_missing, gauge, one, "1 while the runs directory is not there, else 0") \
	X(supervisor, reloads, counter, results, "attempts to read the configuration anew") \
	X(supervisor, last_reload_ok, gauge, one, \
	  "1 if the configuration was good when it was last read, else 0") \
	X(any, faults, counter, faults, \
	  "times that something could not be had from the system, and was or will be tried again") \
	X(any, loop_turn_us, histogram, durations, \
	  "time that a turn of the event loop took, without what it waited") \
	X(any, log_lines_dropped, counter, one, "log lines lost because stderr took no more") \
	X(any, log_lines_summarised, counter, one, "log lines of a flood, told as a number")

/* Told by /metrics and kept in no counter: X(name, kind, labels, help). */
#define COUNTERS_DERIVED(X) \
	X(up, gauge, "process, worker", "1 if a process is alive, else 0") \
	X(restarts, counter, "process, worker", "times that a process was started again that had ended by itself") \
	X(replacements, counter, "process, worker", \
	  "times that a process was started again that had been drained") \
	X(runs_capacity, gauge, "", "runs that there is room for: storage.max_runs") \
	X(buses_capacity, gauge, "", "message buses that there is room for: storage.max_buses") \
	X(build_info, gauge, "version", "1, with the version")

/* --- sets: COUNTERS_SET_<set>(X), X(constant, word) ----------------------------------------------- */

/* Label kind. */
#define COUNTERS_SET_stream_kinds(X) \
	X(COUNTERS_STREAM_LOG, "log") \
	X(COUNTERS_STREAM_ALL, "all") \
	X(COUNTERS_STREAM_TASK, "task") \
	X(COUNTERS_STREAM_FILE, "file") \
	X(COUNTERS_STREAM_EVENTS, "events") \
	X(COUNTERS_STREAM_MESSAGES, "messages")

/* Label reason. */
#define COUNTERS_SET_refusals(X) \
	X(COUNTERS_REFUSED_RUN_FULL, "run_full") \
	X(COUNTERS_REFUSED_WORKER_FULL, "worker_full") \
	X(COUNTERS_REFUSED_DESCRIPTORS, "descriptors") \
	X(COUNTERS_REFUSED_DRAINING, "draining")

/* Label how: what an access line says as well. */
#define COUNTERS_SET_endings(X) \
	X(COUNTERS_ENDED_COMPLETE, "complete") \
	X(COUNTERS_ENDED_GONE, "gone") \
	X(COUNTERS_ENDED_NOTHING_MORE, "nothing_more") \
	X(COUNTERS_ENDED_CLIENT_GONE, "client_gone") \
	X(COUNTERS_ENDED_TIMEOUT, "timeout") \
	X(COUNTERS_ENDED_KICKED, "kicked") \
	X(COUNTERS_ENDED_DRAINED, "drained") \
	X(COUNTERS_ENDED_REFUSED, "refused") \
	X(COUNTERS_ENDED_FAILED, "failed")

/* Label reason: those of the gap event. */
#define COUNTERS_SET_gap_reasons(X) \
	X(COUNTERS_GAP_TRUNCATED, "truncated") \
	X(COUNTERS_GAP_REPLACED, "replaced") \
	X(COUNTERS_GAP_COMPRESSED, "compressed") \
	X(COUNTERS_GAP_CURSOR_INVALID, "cursor_invalid") \
	X(COUNTERS_GAP_CURSOR_EXPIRED, "cursor_expired") \
	X(COUNTERS_GAP_HOLE, "hole") \
	X(COUNTERS_GAP_TOO_MANY_RUNS, "too_many_runs") \
	X(COUNTERS_GAP_OTHER, "other")

/* Label status: those that mean something here; any other word is "other". */
#define COUNTERS_SET_statuses(X) \
	X(COUNTERS_STATUS_RUNNING, "running") \
	X(COUNTERS_STATUS_QUEUED, "queued") \
	X(COUNTERS_STATUS_COMPLETED, "completed") \
	X(COUNTERS_STATUS_FAILED, "failed") \
	X(COUNTERS_STATUS_CANCELLED, "cancelled") \
	X(COUNTERS_STATUS_CRASHED, "crashed") \
	X(COUNTERS_STATUS_STOPPED, "stopped") \
	X(COUNTERS_STATUS_UNKNOWN, "unknown") \
	X(COUNTERS_STATUS_OTHER, "other")

/* Label what: see "When something fails" in runstreamd(8). */
#define COUNTERS_SET_faults(X) \
	X(COUNTERS_FAULT_ACCEPT, "accept") \
	X(COUNTERS_FAULT_LOOK, "look") \
	X(COUNTERS_FAULT_READ, "read") \
	X(COUNTERS_FAULT_STUCK, "stuck") \
	X(COUNTERS_FAULT_INOTIFY, "inotify") \
	X(COUNTERS_FAULT_OVERFLOW, "inotify_overflow") \
	X(COUNTERS_FAULT_RUNS_DIR, "runs_dir") \
	X(COUNTERS_FAULT_REGISTRY_FULL, "registry_full") \
	X(COUNTERS_FAULT_TRAIL, "trail") \
	X(COUNTERS_FAULT_START, "start")

/* Label result. */
#define COUNTERS_SET_results(X) \
	X(COUNTERS_RESULT_OK, "ok") \
	X(COUNTERS_RESULT_FAILED, "failed")

/* Each set that has a label: S(set, label, its number of words). */
#define COUNTERS_SETS(S) \
	S(stream_kinds, "kind", COUNTERS_STREAM_KINDS) \
	S(refusals, "reason", COUNTERS_REFUSALS) \
	S(endings, "how", COUNTERS_ENDINGS) \
	S(gap_reasons, "reason", COUNTERS_GAP_REASONS) \
	S(statuses, "status", COUNTERS_STATUSES) \
	S(faults, "what", COUNTERS_FAULTS) \
	S(results, "result", COUNTERS_RESULTS)

/* The buckets of all histograms: their upper bounds in microseconds, B(us, as Prometheus has it). */
#define COUNTERS_BOUNDS(B) \
	B(100, "0.0001") B(250, "0.00025") B(500, "0.0005") \
	B(1000, "0.001") B(2500, "0.0025") B(5000, "0.005") \
	B(10000, "0.01") B(25000, "0.025") B(50000, "0.05") \
	B(100000, "0.1") B(250000, "0.25") B(500000, "0.5") \
	B(1000000, "1") B(2500000, "2.5") B(5000000, "5") B(10000000, "10")

#endif
