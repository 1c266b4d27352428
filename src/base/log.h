/*
 * One line an event, on stderr: "<time> <level> <process> event key=value …", or with the
 * journal's priority prefix (sd-daemon(3)) and without the time when stderr is the journal's, as
 * JOURNAL_STREAM says by its device and inode (systemd.exec(5)).
 * Only the roles and the mains log; lower layers return errors. Control characters and bytes
 * above ASCII in a line are written as \xHH, so that input cannot forge a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets what each line says of its process ("supervisor", "worker-2"); copied, cut at 31 bytes. */
void log_set_process(const char *name);

/* From now on a stderr that nobody reads (a full pipe, a terminal that was stopped) loses lines, and
 * does not keep this process or its children waiting. A socket never does. */
void log_never_wait(void);

/* Lines above this level are left out; LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);

/* "error", "warning", "info", "debug". Returns 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *ret_level);

/* One write(2) a line, errno kept. Text values that may hold blanks go in \"%s\". */
void log_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_line(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#endif
