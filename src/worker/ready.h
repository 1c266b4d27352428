/*
 * GET /api/v1/ready: whether a worker can serve streams. That it is alive is another answer
 * (/api/v1/health), and worth restarting it for; that it is not ready is not.
 *
 * A discovery that has died is being started again, and meanwhile what is known is served; one
 * that is there and has not looked for long hangs, and what is new is not found.
 */
#ifndef WORKER_READY_H
#define WORKER_READY_H

#include <stdbool.h>
#include <stdint.h>

enum { READY_STALE_MS = 60000, READY_STALE_INTERVALS = 10 }; /* whichever is longer */

/* What it is decided by. */
struct ready_facts {
	bool is_draining;
	uint64_t looks_finished;    /* of discovery, ever */
	bool runs_dir_is_missing;   /* as of its last look */
	bool discovery_lives;
	int64_t last_look_age_ms;
	int64_t discovery_interval_ms;
};

/* Why not, as a word and a sentence. */
struct ready_reason {
	const char *word, *sentence;
};

/* NULL: it is ready. */
const struct ready_reason *ready_find_reason(const struct ready_facts *facts);

#endif
