#include "admin/exec_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "model/utf8.h"

enum { RESERVE_BYTES = 16 * 1024 }; /* a run-info, and what its folder grows by */

static void
quote_word(struct buf *to, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            "@%+=:,./_-";

	if (*word && word[strspn(word, plain)] == '\0') {
		buf_puts(to, word);
		return;
	}
	buf_putc(to, '\'');
	for (; *word; word++)
		if (*word == '\'')
			buf_puts(to, "'\\''");
		else
			buf_putc(to, *word);
	buf_putc(to, '\'');
}

char *
exec_record_commandline(char *const *command)
{
	struct buf line = BUF_INIT;
	char *copy = NULL;

	for (char *const *word = command; *word; word++) {
		if (word != command)
			buf_putc(&line, ' ');
		quote_word(&line, *word);
		if (line.length_bytes > EXEC_RECORD_COMMANDLINE_BYTES) {
			line.length_bytes = utf8_cut((const uint8_t *)line.data, EXEC_RECORD_COMMANDLINE_BYTES);
			buf_puts(&line, "…");
			break;
		}
	}
	if (buf_error(&line) == 0)
		copy = strdup(buf_string(&line));
	buf_fini(&line);
	return copy;
}

bool
exec_record_is_ending_signal(int signal_number)
{
	return signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP ||
	       signal_number == SIGQUIT;
}

static char *
joined(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

int
exec_record_init(struct exec_record *record, const struct run_folder *folder,
                 const struct settings *settings, const char *project, const char *task,
                 bool is_one_stream, char *const *command)
{
	struct run_info *info = &record->info;

	run_info_init(info);
	record->reserve_fd = -1;
	record->folder = folder;
	record->name = settings->storage.files.run_info;
	info->run_id = strdup(folder->run_id);
	info->project_id = project ? strdup(project) : NULL;
	info->task_id = task ? strdup(task) : NULL;
	/* NULL for a directory that was removed: a command may be run there all the same. */
	info->cwd = getcwd(NULL, 0);
	info->stdout_path = joined(folder->path, settings->storage.files.stdout_log);
	if (!is_one_stream)
		info->stderr_path = joined(folder->path, settings->storage.files.stderr_log);
	info->commandline = exec_record_commandline(command);
	if (!info->run_id || (project && !info->project_id) || (task && !info->task_id) ||
	    !info->stdout_path || (!is_one_stream && !info->stderr_path) || !info->commandline) {
		exec_record_fini(record);
		return -ENOMEM;
	}
	return 0;
}

void
exec_record_fini(struct exec_record *record)
{
	run_info_fini(&record->info);
	fd_close(&record->reserve_fd);
}

static int
set_status(struct run_info *info, const char *status)
{
	char *copy = strdup(status);

	if (!copy)
		return -ENOMEM;
	free(info->status);
	info->status = copy;
	return 0;
}

/* Of a file without a name, so that nothing is left of it whoever is killed. */
static void
reserve(struct exec_record *record)
{
	int fd = openat(record->folder->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE_BYTES) < 0)
		fd_close(&fd);
	record->reserve_fd = fd;
}

int
exec_record_write_start(struct exec_record *record, pid_t pid)
{
	int r = set_status(&record->info, "running");

	record->info.pid = record->info.pgid = pid;
	record->info.start_time_ms = clock_wall_ms();
	record->info.exit_code = -1;
	if (r == 0)
		r = run_info_write(record->folder->fd, record->name, &record->info, false);
	if (r == 0)
		reserve(record);
	return r;
}

/* Returns the status, sets the exit code, and says in words what is not simply well. */
static const char *
judge(const struct exec_ending *ending, int32_t *ret_exit_code, struct buf *summary)
{
	int status = ending->wait_status;

	if (ending->exec_error < 0) {
		*ret_exit_code = ending->exec_error == -ENOENT ? 127 : 126;
		buf_printf(summary, "cannot execute %s: %s", ending->command,
		           strerror(-ending->exec_error));
		return "failed";
	}
	if (WIFSIGNALED(status)) {
		int number = WTERMSIG(status);

		*ret_exit_code = EXEC_RECORD_SIGNAL_CODE + number;
		buf_printf(summary, "killed by signal %d (%s)", number, strsignal(number));
		return ending->was_told_to_end || exec_record_is_ending_signal(number) ? "stopped" : "crashed";
	}
	*ret_exit_code = WEXITSTATUS(status);
	if (*ret_exit_code == 0)
		return "completed";
	buf_printf(summary, "exit status %d", *ret_exit_code);
	return ending->was_told_to_end ? "stopped" : "failed";
}

int
exec_record_write_end(struct exec_record *record, const struct exec_ending *ending)
{
	struct run_info *info = &record->info;
	struct buf summary = BUF_INIT;
	int r = set_status(info, judge(ending, &info->exit_code, &summary));

	if (ending->lost_bytes > 0)
		buf_printf(&summary, "%s%" PRIu64 " bytes of output are missing in the logs: %s",
		           summary.length_bytes > 0 ? "; " : "", ending->lost_bytes,
		           strerror(-ending->lost_error));
	info->end_time_ms = clock_wall_ms();
	if (r == 0)
		r = buf_error(&summary);
	if (r == 0 && summary.length_bytes > 0) {
		free(info->error_summary);
		info->error_summary = strdup(buf_string(&summary));
	}
	buf_fini(&summary);
	fd_close(&record->reserve_fd);
	if (r == 0)
		r = run_info_write(record->folder->fd, record->name, info, false);
	return r;
}
