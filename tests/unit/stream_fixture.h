/* A runs directory, a registry, a hub, and readers of a run's log, in one process. */
#ifndef TESTS_STREAM_FIXTURE_H
#define TESTS_STREAM_FIXTURE_H

#include "reader.h"
#include "shm/registry_writer.h"
#include "stream/feed.h"
#include "stream/subscriber.h"

struct fixture {
	char directory[64];
	int runs_dir_fd;
	struct loop *loop;
	struct offload *offload;
	struct settings settings;
	int registry_fd;
	struct registry_writer *writer;
	struct registry *registry;
	int buses_fd;
	struct registry_writer *buses_writer;
	struct registry *buses;
	struct hub *hub;
	char state_directory[64];
	int state_dir_fd;
	struct kept_state *kept; /* owned; NULL: it was not killed */
};

/* Short intervals; inotify as given. */
void fixture_set_up(struct fixture *f, bool inotify);
/* The same, in another directory than /tmp: on another file system. */
void fixture_set_up_in(struct fixture *fixture, bool inotify, const char *parent);
/* Asserts that nothing is left: followers, channels, cached blocks. */
void fixture_tear_down(struct fixture *f);

/* As if the process were another one: a hub that knows nothing; and a registry that knows nothing, too.
 * There must be no readers. */
void fixture_restart(struct fixture *f, bool registry_too);

/* The process is killed now: what its hub writes to the state directory from here on will not have been
 * written, once it is started again. */
void fixture_kill(struct fixture *f);

/* Makes (or changes) a run of the flat layout in the registry, and its folder. */
void fixture_put_run(struct fixture *f, const char *id, const char *status, int exit_code);
/* The same of another task than "t". */
void fixture_put_run_of(struct fixture *f, const char *id, const char *task, const char *status, int exit_code);
/* It is in the registry, but nobody is told until the next one is put there. */
void fixture_put_run_untold(struct fixture *f, const char *id, const char *status, int exit_code);
struct registry_run fixture_run(struct fixture *f, const char *id);

/* Of files beneath the runs directory; text may hold NULs. */
void fixture_write(struct fixture *f, const char *path, const char *text, size_t length);
void fixture_append(struct fixture *f, const char *path, const char *text);
void fixture_rename(struct fixture *f, const char *from, const char *to);
void fixture_copy(struct fixture *f, const char *from, const char *to);
void fixture_truncate(struct fixture *f, const char *path);

/* Its readers. start: borrowed. */
struct reader *reader_new(struct fixture *f, const char *run_id, unsigned files,
                          const struct start *start);
struct reader *reader_new_of_kind(struct fixture *f, const struct channel_request *request,
                                  const struct start *start);
struct reader *reader_new_of_many(struct fixture *f, const struct feed_request *request);
/* Of a reader of a run. */
struct channel *reader_channel(const struct reader *r);
/* From an id; NULL: from the beginning. */
struct reader *reader_resume(struct fixture *f, const char *run_id, const char *id);
void reader_free(struct reader **r);

/* Turns the loop until so many events of this name came; fails after some seconds. */
void reader_wait(struct reader *r, const char *name, size_t count);
/* Until the lines of a stream are these. */
void reader_wait_lines(struct reader *r, const char *stream, const char *lines);
void reader_wait_over(struct reader *r);
/* One turn of the loop, with all readers taking what there is. */
void fixture_turn(struct fixture *f, int timeout_ms);
/* Turns until so much time has passed. */
void fixture_pass(struct fixture *f, int64_t time_ms);
/* Until all readers rest and the file was looked at since. */
void fixture_settle(struct fixture *f);

#endif
