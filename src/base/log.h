/*
 * The log, on stderr: one line an event, key=value (logfmt.h):
 *
 *     time=2026-02-04T18:30:42.569Z level=warning role=worker-2 event=accept_failed error="…" …
 *
 * With the journal's priority prefix (sd-daemon(3)), and without time and level, when stderr is the
 * journal's, as JOURNAL_STREAM says by its device and inode (systemd.exec(5)).
 *
 * Only the roles and the mains log, from any thread; lower layers return errors. Nothing here waits: what
 * stderr does not take is lost, and counted. Of one event at most LOG_BURST lines are written in LOG_WINDOW_MS;
 * how many more there were is told at its end (event=more). Lines of what people did, one for
 * each client (log_access), are not held back.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum {
	LOG_BURST = 20,
	LOG_WINDOW_MS = 10000,
	LOG_EVENTS_MAX = 128, /* different ones that are told apart; of further ones all is written */
};

/* What was not written, since log_set_process(). */
struct log_figures {
	uint64_t dropped;    /* stderr took no more */
	uint64_t summarised; /* told as a number */
};

/* Sets what each line says of its process ("supervisor", "worker-2"); copied, cut at 31 bytes.
 * Forgets what the process before a fork counted. */
void log_set_process(const char *name);

/* From now on a stderr that nobody reads (a full pipe, a terminal that was stopped) loses lines, and
 * does not keep this process or its children waiting. A socket never does. */
void log_never_wait(void);

/* Lines above this level are left out; LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);
/* Whether lines of that level are written. */
bool log_has_level(enum log_level level);

/* "error", "warning", "info", "debug". Returns 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *ret_level);

/*
 * One write(2) a line, errno kept. event: a literal word; the format is of key=value pairs, as
 * logfmt_vformat() takes it: text is made safe there, whatever it is.
 */
void log_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_line(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* A line of level info that is never held back. */
void log_access(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells of floods that are over; to be called now and then, as their end tells nobody. */
void log_tick(void);

struct log_figures log_figures(void);

#endif
