/*
 * One output of a command, stdout or stderr: from its pipe into its log file, then on to ours.
 *
 * The log comes first and is written by the loop; passing on is a helper thread's, since a
 * terminal or a pager may take its time, and signals must be forwarded meanwhile. The next piece
 * is read when the last one was passed on: a slow reader slows the command, as in any pipeline.
 *
 * Neither a log that cannot be written (a full disk) nor a reader that left stops anything: what
 * is lost to the log is counted, warned of once, and marked in the log as soon as it takes bytes
 * again; a reader that left is forgotten.
 */
#ifndef ADMIN_EXEC_STREAM_H
#define ADMIN_EXEC_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/offload.h"

enum { EXEC_STREAM_CHUNK_BYTES = 64 * 1024 };

/* Called in the loop, once, when the last byte is in the log and was passed on. */
typedef void exec_stream_end_fn(void *arg);

struct exec_stream {
	struct offload_job job; /* first: the stream is found by it */
	const char *name;       /* for messages */
	struct loop *loop;
	struct offload *offload;
	exec_stream_end_fn *on_end;
	void *arg;
	int pipe_fd; /* -1 after the end */
	int log_fd;  /* -1: there is none */
	int out_fd;  /* borrowed; -1: nobody takes it (any more) */
	struct loop_fd watch;
	bool is_passing; /* the thread has the chunk */
	int pass_error;
	bool has_limit;  /* only limit_bytes more will be read */
	uint64_t limit_bytes;
	uint64_t lost_bytes, lost_since_mark_bytes;
	int log_error;   /* why the first byte was lost: -errno */
	uint32_t length;
	char chunk[EXEC_STREAM_CHUNK_BYTES];
};

/*
 * Begins to read pipe_fd (takes it, and log_fd). log_error: why there is no log, if it is -1.
 * 0 or -errno; the stream is to be ended with exec_stream_fini() in any case.
 */
int exec_stream_init(struct exec_stream *stream, const char *name, struct loop *loop,
                     struct offload *offload, int pipe_fd, int log_fd, int log_error, int out_fd,
                     exec_stream_end_fn *on_end, void *arg);
void exec_stream_fini(struct exec_stream *stream);

/*
 * The command has ended, and something that it left behind keeps the pipe open: ends after what
 * is in the pipe now.
 */
void exec_stream_finish(struct exec_stream *stream);

/*
 * Ends at once: what is in the pipe goes into the log, without being passed on. The thread may
 * still hold the stream afterwards (is_passing): it must then stay where it is.
 */
void exec_stream_give_up(struct exec_stream *stream);

#endif
