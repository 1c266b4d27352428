#include "worker/run_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "store/run_dir.h"
#include "store/run_info.h"
#include "worker/errand.h"
#include "worker/run_answer.h"
#include "worker/worker_state.h"

static const char *const names[RUN_FILES] = {
	[RUN_FILE_STDOUT] = "stdout",
	[RUN_FILE_STDERR] = "stderr",
	[RUN_FILE_PROMPT] = "prompt",
	[RUN_FILE_OUTPUT] = "output.md",
};

int
run_file_parse(const char *name, enum run_file *ret_file)
{
	for (unsigned i = 0; i < RUN_FILES; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_file = (enum run_file)i;
			return 0;
		}
	}
	return -EINVAL;
}

struct lookup {
	struct errand errand;
	struct run_query query;
	struct registry_run run;
	int runs_dir_fd;
	char runs_dir[PATH_MAX];
	char run_info[SETTINGS_TEXT_BYTES + 1];
	/* What was found: beneath the runs directory. */
	char directory[CHANNEL_DIRECTORY_BYTES];
	char file[SETTINGS_TEXT_BYTES + 1];
};

/* What follows the runs directory in a path, or NULL. */
static const char *
beneath(const char *path, const char *runs_dir)
{
	size_t length = strlen(runs_dir);

	while (length > 0 && runs_dir[length - 1] == '/')
		length--;
	if (strncmp(path, runs_dir, length) != 0 || path[length] != '/')
		return NULL;
	return path + length + strspn(path + length, "/");
}

/* Whether a path, as run-info has it, is one that may be followed; then it is taken. How it leads
 * there (no links, no way out) is checked when it is opened. */
static bool
take_path(struct lookup *l, const char *path)
{
	char real[PATH_MAX];
	const char *rest, *name;
	size_t length;

	if (!path || *path != '/')
		return false; /* of which folder a relative one is meant, nobody says */
	rest = beneath(path, l->runs_dir);
	if (!rest && realpath(l->runs_dir, real))
		rest = beneath(path, real);
	name = rest ? strrchr(rest, '/') : NULL;
	if (!name)
		return false;
	length = (size_t)(name - rest);
	if (length == 0 || length >= sizeof(l->directory) || name[1] == '\0' ||
	    strlen(name + 1) >= sizeof(l->file))
		return false;
	/* What clients are not shown stands in there: cwd, commandline, paths. */
	if (strcmp(name + 1, l->run_info) == 0)
		return false;
	memcpy(l->directory, rest, length);
	l->directory[length] = '\0';
	memcpy(l->file, name + 1, strlen(name + 1) + 1);
	return true;
}

static void
look(struct errand *errand)
{
	struct lookup *l = (struct lookup *)errand;
	struct run_info info;
	int run_dir_fd;

	if (run_dir_open(l->runs_dir_fd, l->directory, &run_dir_fd) < 0)
		return;
	if (run_info_read(run_dir_fd, l->run_info, &info) == 0) {
		const char *const paths[RUN_FILES] = {
			[RUN_FILE_STDOUT] = info.stdout_path,
			[RUN_FILE_STDERR] = info.stderr_path,
			[RUN_FILE_PROMPT] = info.prompt_path,
			[RUN_FILE_OUTPUT] = info.output_path,
		};

		take_path(l, paths[l->query.file]);
		run_info_fini(&info);
	}
	fd_close(&run_dir_fd);
}

static void
answer(struct errand *errand, struct connection *c)
{
	struct lookup *l = (struct lookup *)errand;
	struct channel_request request = { .kind = l->query.kind, .run = &l->run, .files = CHANNEL_FIRST,
		                           .directory = l->directory, .file = l->file };

	run_answer_stream(c, &request, &l->query.start);
}

void
run_file_answer(struct connection *c, const struct run_query *query, const struct registry_run *run)
{
	const struct settings *settings = &c->worker->settings;
	const char *const files[RUN_FILES] = {
		[RUN_FILE_STDOUT] = settings->storage.files.stdout_log,
		[RUN_FILE_STDERR] = settings->storage.files.stderr_log,
		[RUN_FILE_PROMPT] = settings->storage.files.prompt,
		[RUN_FILE_OUTPUT] = settings->storage.files.output,
	};
	struct lookup *l = calloc(1, sizeof(*l));

	if (l) {
		l->query = *query;
		l->run = *run;
		l->runs_dir_fd = c->worker->runs_dir_fd;
		snprintf(l->runs_dir, sizeof(l->runs_dir), "%s", settings->storage.runs_dir);
		snprintf(l->run_info, sizeof(l->run_info), "%s", settings->storage.files.run_info);
		registry_run_path(run, l->directory, sizeof(l->directory));
		snprintf(l->file, sizeof(l->file), "%s", files[query->file]);
	}
	errand_begin(&l->errand, c, look, answer);
}
