#include "admin/exec_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "admin/command.h"
#include "base/buf.h"
#include "base/fd.h"

/* --- the log ---------------------------------------------------------------------------------- */

static void
log_lost(struct exec_stream *s, size_t length, int error)
{
	if (s->lost_bytes == 0) {
		s->log_error = error;
		command_warn("the log of %s cannot be written, output is passed on without it: %s", s->name,
		             strerror(-error));
	}
	s->lost_bytes += length;
	s->lost_since_mark_bytes += length;
}

/* Returns how much of it was written, with the reason in *ret_error if not all. */
static size_t
write_some(int fd, const char *bytes, size_t length, int *ret_error)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, bytes + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*ret_error = -errno;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

static void
log_write(struct exec_stream *s, const char *bytes, size_t length)
{
	int error = 0;
	size_t done;

	if (s->log_fd < 0) {
		log_lost(s, length, s->log_error);
		return;
	}
	if (s->lost_since_mark_bytes > 0) {
		struct buf mark = BUF_INIT;
		size_t marked = 0;

		/* Without it, the log would claim that nothing is missing. */
		buf_printf(&mark, "\n[runstreamctl: %" PRIu64 " bytes are missing here: %s]\n",
		           s->lost_since_mark_bytes, strerror(-s->log_error));
		if (buf_error(&mark) == 0)
			marked = write_some(s->log_fd, mark.data, mark.length_bytes, &error);
		/* A part of it is no harm: it is written again, whole. */
		if (marked > 0 && marked == mark.length_bytes)
			s->lost_since_mark_bytes = 0;
		buf_fini(&mark);
		if (s->lost_since_mark_bytes > 0) {
			log_lost(s, length, error);
			return;
		}
	}
	done = write_some(s->log_fd, bytes, length, &error);
	if (done < length)
		log_lost(s, length - done, error);
}

/* --- passing on ------------------------------------------------------------------------------- */

static void
pass_work(struct offload_job *job)
{
	struct exec_stream *s = (struct exec_stream *)job;
	size_t done = 0;
	int error = 0;

	while (done < s->length) {
		struct pollfd room = { .fd = s->out_fd, .events = POLLOUT };

		error = 0;
		done += write_some(s->out_fd, s->chunk + done, s->length - done, &error);
		if (error == 0)
			break;
		/* Somebody who shares our stdout made it non-blocking: wait as if it were not. */
		if (error != -EAGAIN)
			break;
		poll(&room, 1, -1);
	}
	s->pass_error = error;
}

static void readable(void *arg, uint32_t events);

static void
end(struct exec_stream *s)
{
	if (s->pipe_fd < 0)
		return;
	loop_fd_remove(s->loop, &s->watch);
	fd_close(&s->pipe_fd);
	fd_close(&s->log_fd);
	s->on_end(s->arg);
}

static void
pass_done(struct offload_job *job)
{
	struct exec_stream *s = (struct exec_stream *)job;

	s->is_passing = false;
	if (s->pass_error < 0) {
		/* Who left, or closed it for us, has no wish to hear of it; the rest is worth a word. */
		if (s->pass_error != -EPIPE && s->pass_error != -EBADF)
			command_warn("%s cannot be passed on, the log goes on: %s", s->name,
			             strerror(-s->pass_error));
		s->out_fd = -1;
	}
	if (s->pipe_fd < 0)
		return; /* given up meanwhile */
	if (s->has_limit && s->limit_bytes == 0)
		end(s);
	else if (loop_fd_add(s->loop, &s->watch, s->pipe_fd, EPOLLIN, readable, s) < 0)
		end(s); /* no memory in the kernel for one descriptor that it had a moment ago */
}

static void
readable(void *arg, uint32_t events)
{
	struct exec_stream *s = arg;
	size_t most = sizeof(s->chunk);
	ssize_t n;

	(void)events;
	if (s->has_limit && s->limit_bytes < most)
		most = (size_t)s->limit_bytes;
	n = most > 0 ? read(s->pipe_fd, s->chunk, most) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(s);
		return;
	}
	s->length = (uint32_t)n;
	if (s->has_limit)
		s->limit_bytes -= (uint64_t)n;
	log_write(s, s->chunk, s->length);
	if (s->out_fd >= 0) {
		/* Out of the loop meanwhile: a pipe that was hung up would wake it without end. */
		loop_fd_remove(s->loop, &s->watch);
		s->is_passing = true;
		offload_submit(s->offload, &s->job, pass_work, pass_done);
	} else if (s->has_limit && s->limit_bytes == 0) {
		end(s);
	}
}

/* --- the stream ------------------------------------------------------------------------------- */

int
exec_stream_init(struct exec_stream *s, const char *name, struct loop *loop, struct offload *offload,
                 int pipe_fd, int log_fd, int log_error, int out_fd, exec_stream_end_fn *on_end,
                 void *arg)
{
	int r;

	memset(s, 0, sizeof(*s));
	s->name = name;
	s->loop = loop;
	s->offload = offload;
	s->on_end = on_end;
	s->arg = arg;
	s->pipe_fd = pipe_fd;
	s->log_fd = log_fd;
	s->log_error = log_error;
	s->out_fd = out_fd;
	r = fd_set_nonblocking(pipe_fd);
	if (r == 0)
		r = loop_fd_add(loop, &s->watch, pipe_fd, EPOLLIN, readable, s);
	return r;
}

void
exec_stream_fini(struct exec_stream *s)
{
	if (s->pipe_fd >= 0)
		loop_fd_remove(s->loop, &s->watch);
	fd_close(&s->pipe_fd);
	fd_close(&s->log_fd);
}

void
exec_stream_finish(struct exec_stream *s)
{
	int available = 0;

	if (s->pipe_fd < 0 || s->has_limit)
		return;
	if (ioctl(s->pipe_fd, FIONREAD, &available) < 0 || available < 0)
		available = 0;
	s->has_limit = true;
	s->limit_bytes = (uint64_t)available;
	if (available == 0 && !s->is_passing)
		end(s);
}

void
exec_stream_give_up(struct exec_stream *s)
{
	char bytes[4096];

	if (s->pipe_fd < 0)
		return;
	exec_stream_finish(s);
	while (s->pipe_fd >= 0 && s->limit_bytes > 0) {
		size_t most = s->limit_bytes < sizeof(bytes) ? (size_t)s->limit_bytes : sizeof(bytes);
		ssize_t n = read(s->pipe_fd, bytes, most);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		s->limit_bytes -= (uint64_t)n;
		log_write(s, bytes, (size_t)n);
	}
	end(s);
}
