#include "conf/settings_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/num.h"
#include "conf/settings.h"
#include "model/network.h"
#include "model/origin.h"
#include "model/word_list.h"

enum { FILE_NAME_BYTES = 128 };

#define MEMBER(path) offsetof(struct settings, path)
/* A key whose path is that of its member. */
#define NUMBER(member, lowest_, highest_, default_, ...) \
	{ .path = #member, .offset = MEMBER(member), .type = SETTINGS_NUMBER, .lowest = lowest_, \
	  .highest = highest_, .default_number = default_, __VA_ARGS__ }
#define BOOLEAN(member, default_, ...) \
	{ .path = #member, .offset = MEMBER(member), .type = SETTINGS_BOOLEAN, \
	  .default_number = default_, __VA_ARGS__ }
#define TEXT(path_, member, type_, default_, ...) \
	{ .path = path_, .offset = MEMBER(member), .type = type_, .default_text = default_, \
	  __VA_ARGS__ }

const struct settings_key settings_keys[] = {
	TEXT("api.prefix", api.prefix, SETTINGS_PREFIX, "/api", .needs_restart = true,
	     .help = "What the path of every request begins with."),
	TEXT("api.cors_origins", api.cors_origins, SETTINGS_ORIGINS, "",
	     .help = "The origins whose web pages may read the answers, as browsers name them."),
	NUMBER(api.sse.poll_interval_ms, 10, 60000, 100,
	       .help = "How often a followed file is looked at where inotify cannot be trusted."),
	NUMBER(api.sse.discovery_interval_ms, 10, 3600000, 1000,
	       .help = "How often the runs directory is looked at."),
	NUMBER(api.sse.heartbeat_interval_s, 1, 3600, 30,
	       .help = "A stream that was silent for so long is sent a heartbeat."),
	NUMBER(api.sse.max_clients_per_run, 1, 1000000, 10,
	       .help = "How many clients may stream one run, counted over all workers."),
	NUMBER(api.sse.retry_ms, 100, 600000, 2000,
	       .help = "After how long a client that lost its stream comes back; each is told a "
	               "time of its own, between half and one and a half of this."),
	NUMBER(api.sse.refused_retry_s, 1, 86400, 30,
	       .help = "After how long a client that was refused comes back."),
	NUMBER(api.sse.partial_flush_ms, 0, 3600000, 1000,
	       .help = "An unfinished last line that has not grown for so long is sent as it is."),
	NUMBER(api.sse.terminal_linger_ms, 0, 3600000, 1000,
	       .help = "How long the files of a run that has ended must have been unchanged before "
	               "its stream is complete."),
	NUMBER(api.sse.max_line_bytes, 1024, 1048576, 65536,
	       .help = "A longer line is sent in several events."),
	NUMBER(api.sse.max_wait_s, 0, 86400, 300,
	       .help = "The most that a client may ask for with wait_s."),
	NUMBER(api.sse.resume_retention_s, 60, 31536000, 86400,
	       .help = "For how long a client of a stream of many runs may come back with an id and "
	               "miss nothing."),
	NUMBER(api.sse.resume_most_bytes, 67108864, 1099511627776, 1073741824,
	       .help = "How much may be kept in server.state_dir for that; where it is more, clients "
	               "that come back late get more lines twice, and the latest a gap."),
	NUMBER(api.sse.client_timeout_s, 1, 86400, 300,
	       .help = "A client that takes nothing for so long is disconnected."),
	TEXT("storage.runs_dir", storage.runs_dir, SETTINGS_PATH, "/var/lib/runstream/runs",
	     .needs_restart = true, .help = "The directory in which the runs are."),
	TEXT("storage.files.run_info", storage.files.run_info, SETTINGS_FILE, "run-info.yaml",
	     .needs_restart = true, .help = "The file with a run's status and metadata."),
	TEXT("storage.files.stdout", storage.files.stdout_log, SETTINGS_FILE, "agent-stdout.txt",
	     .needs_restart = true, .help = "The file with a run's standard output."),
	TEXT("storage.files.stderr", storage.files.stderr_log, SETTINGS_FILE, "agent-stderr.txt",
	     .needs_restart = true, .help = "The file with a run's standard error."),
	TEXT("storage.files.events", storage.files.events, SETTINGS_FILE, "events.jsonl",
	     .needs_restart = true, .help = "The file with a run's recorded events."),
	TEXT("storage.files.prompt", storage.files.prompt, SETTINGS_FILE, "prompt.md",
	     .needs_restart = true, .help = "The file with what a run was asked to do."),
	TEXT("storage.files.output", storage.files.output, SETTINGS_FILE, "output.md",
	     .needs_restart = true, .help = "The file with a run's result."),
	TEXT("storage.files.project_bus", storage.files.project_bus, SETTINGS_FILE,
	     "PROJECT-MESSAGE-BUS.md", .needs_restart = true,
	     .help = "The message bus in a project's folder."),
	TEXT("storage.files.task_bus", storage.files.task_bus, SETTINGS_FILE,
	     "TASK-MESSAGE-BUS.md", .needs_restart = true,
	     .help = "The message bus in a task's folder."),
	NUMBER(storage.max_runs, 1, 16000000, 1000000, .needs_restart = true,
	       .help = "How many runs the registry has room for; memory is taken only for those "
	               "that exist."),
	NUMBER(storage.max_buses, 1, 16000000, 100000, .needs_restart = true,
	       .help = "How many message buses their registry has room for; memory is taken only "
	               "for those that exist."),
	BOOLEAN(following.inotify, true, .needs_restart = true,
	        .help = "Whether inotify is used to see changes at once; without it, polling alone "
	                "is."),
	NUMBER(following.healthy_poll_interval_ms, 10, 600000, 2000,
	       .help = "How often a followed file is looked at while its inotify watch works."),
	NUMBER(following.cache_bytes, 1048576, 1073741824, 16777216,
	       .help = "How much each worker may keep of what it rendered, for clients that are "
	               "behind."),
	TEXT("recording.allow_from", recording.allow_from, SETTINGS_NETWORKS, "",
	     .help = "From where runs may be recorded; empty: from nowhere."),
	TEXT("recording.durability", recording.durability, SETTINGS_DURABILITY, "synced",
	     .help = "What has become of an event when it is acknowledged: written to the file, or "
	             "also synced to the disk."),
	NUMBER(recording.max_body_bytes, 1024, 16777216, 1048576,
	       .help = "The longest body of a request."),
	TEXT("server.runtime_dir", server.runtime_dir, SETTINGS_PATH, NULL, .needs_restart = true,
	     .default_words = "/run/runstream for root, else $XDG_RUNTIME_DIR/runstream, else "
	                      "/tmp/runstream-UID",
	     .help = "The directory of the sockets, the pid file and the lock."),
	NUMBER(server.workers, 1, SETTINGS_WORKERS_MOST, 0,
	       .default_words = "the number of processors, at most 8",
	       .help = "How many worker processes answer requests."),
	NUMBER(server.sockets, 0, SETTINGS_WORKERS_MOST, 0, .needs_restart = true,
	       .help = "How many listening sockets the workers share, one each at least; 0: twice as "
	               "many as there are workers."),
	TEXT("server.state_dir", server.state_dir, SETTINGS_PATH, "", .needs_restart = true,
	     .help = "The directory in which is kept how far streams of many runs were, so that they "
	             "can be resumed; empty: state in the runtime directory."),
	TEXT("server.socket_mode", server.socket_mode, SETTINGS_MODE, "0660", .needs_restart = true,
	     .help = "The mode of the workers' sockets."),
	TEXT("server.socket_group", server.socket_group, SETTINGS_ACCOUNT, "",
	     .needs_restart = true,
	     .help = "The group that may connect to the workers' sockets; empty: the group of the "
	             "process."),
	TEXT("server.user", server.user, SETTINGS_ACCOUNT, "", .needs_restart = true,
	     .help = "Whom discovery and the workers become when the server is started as root; "
	             "empty: they stay root."),
	BOOLEAN(server.sandbox, true, .needs_restart = true,
	        .help = "Whether the processes are kept from what they do not need."),
	NUMBER(server.max_clients_per_worker, 1, 1000000, 10000,
	       .help = "How many clients a worker holds before it answers 503."),
	NUMBER(server.request_timeout_ms, 100, 600000, 5000,
	       .help = "How long a request may take to arrive whole."),
	NUMBER(server.drain_ms, 0, 3600000, 2000,
	       .help = "Over how long a worker that stops ends its streams."),
	TEXT("log.level", log.level, SETTINGS_LEVEL, "info",
	     .help = "The least important messages that are still logged."),
	BOOLEAN(log.access, true,
	        .help = "Whether each stream leaves a line in the log, of level info, when it ends."),
};

bool
settings_key_is_text(const struct settings_key *key)
{
	return key->type != SETTINGS_NUMBER && key->type != SETTINGS_BOOLEAN;
}

bool
settings_key_is_list(const struct settings_key *key)
{
	return key->type == SETTINGS_NETWORKS || key->type == SETTINGS_ORIGINS;
}

bool
settings_key_takes_word(const struct settings_key *key, const char *text, size_t length)
{
	if (key->type == SETTINGS_NETWORKS)
		return network_valid(text, length);
	return origin_valid(text, length) || (length == 1 && *text == '*');
}

/* --- what a value must be ----------------------------------------------------------------------------------- */

bool
settings_key_read_number(const struct settings_key *key, const char *text, size_t length, int64_t *ret_number)
{
	uint64_t number;

	if (num_parse_u64(text, length, &number) || number > INT64_MAX)
		return false;
	if ((int64_t)number < key->lowest || (int64_t)number > key->highest)
		return false;
	*ret_number = (int64_t)number;
	return true;
}

static bool
is_prefix(const char *text)
{
	const char *segment = text;

	if (*text != '/')
		return false;
	/* Each segment: at least one character, none that would need an escape, not "." or "..". */
	while (*segment == '/') {
		size_t n = strspn(++segment, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		                             "0123456789-._~");

		if (n == 0 || (n <= 2 && strspn(segment, ".") == n))
			return false;
		segment += n;
	}
	return *segment == '\0';
}

static bool
is_mode(const char *text)
{
	size_t length = strlen(text);
	long mode;

	if (length < 3 || length > 4 || strspn(text, "01234567") != length)
		return false;
	mode = strtol(text, NULL, 8);
	return mode <= 0777 && (mode & 0600) == 0600;
}

static bool
is_file_name(const char *text)
{
	return *text != '\0' && strlen(text) <= FILE_NAME_BYTES && !strchr(text, '/') &&
	       strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* Whether each word is one of the list's, and "*" alone. */
static bool
is_list(const struct settings_key *key, const char *text)
{
	bool has_all = false;
	size_t length, count = 0;
	const char *word;

	for (; word_list_next(&text, &word, &length); count++) {
		if (!settings_key_takes_word(key, word, length))
			return false;
		has_all = has_all || *word == '*';
	}
	return !has_all || count == 1;
}

/* In place: one blank between words, so that lists that say the same are the same. */
static void
tidy_list(char *text)
{
	const char *at = text, *word;
	char *to = text;
	size_t length;

	while (word_list_next(&at, &word, &length)) {
		if (to > text)
			*to++ = ' ';
		memmove(to, word, length);
		to += length;
	}
	*to = '\0';
}

static bool
may_be_empty(const struct settings_key *key)
{
	return key->default_text && *key->default_text == '\0';
}

static bool
is_right_text(const struct settings_key *key, const char *text)
{
	enum log_level level;

	switch (key->type) {
	case SETTINGS_PATH:
		return *text == '/' || (*text == '\0' && may_be_empty(key));
	case SETTINGS_FILE:
		return is_file_name(text);
	case SETTINGS_PREFIX:
		return is_prefix(text);
	case SETTINGS_MODE:
		return is_mode(text);
	case SETTINGS_ACCOUNT:
		return strpbrk(text, " :/") == NULL;
	case SETTINGS_LEVEL:
		return log_parse_level(text, &level) == 0;
	case SETTINGS_DURABILITY:
		return strcmp(text, "written") == 0 || strcmp(text, "synced") == 0;
	case SETTINGS_NETWORKS:
	case SETTINGS_ORIGINS:
		return is_list(key, text);
	case SETTINGS_NUMBER:
	case SETTINGS_BOOLEAN:
		break;
	}
	return false;
}

int
settings_key_read_text(const struct settings_key *key, const char *text, size_t length, char **ret_text)
{
	char *copy;

	if (length > SETTINGS_TEXT_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return -EINVAL;
	copy = strndup(text, length);
	if (!copy)
		return -ENOMEM;
	if (!is_right_text(key, copy)) {
		free(copy);
		return -EINVAL;
	}
	if (settings_key_is_list(key))
		tidy_list(copy);
	*ret_text = copy;
	return 0;
}

static const char *
unit_of(const struct settings_key *key)
{
	static const struct {
		const char *ending, *words;
	} units[] = { { "_ms", " of milliseconds" }, { "_s", " of seconds" }, { "_bytes", " of bytes" } };
	size_t length = strlen(key->path);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i].ending);

		if (length > n && strcmp(key->path + length - n, units[i].ending) == 0)
			return units[i].words;
	}
	return "";
}

void
settings_key_append_demand(struct buf *to, const struct settings_key *key)
{
	switch (key->type) {
	case SETTINGS_NUMBER:
		buf_printf(to, "a whole number%s from %" PRId64 " to %" PRId64, unit_of(key),
		           key->lowest, key->highest);
		return;
	case SETTINGS_BOOLEAN:
		buf_puts(to, "true or false");
		return;
	case SETTINGS_PATH:
		buf_printf(to, "an absolute path of at most %d bytes%s", SETTINGS_TEXT_BYTES,
		           may_be_empty(key) ? ", or empty" : "");
		return;
	case SETTINGS_FILE:
		buf_printf(to, "a file name of at most %d bytes, without slashes", FILE_NAME_BYTES);
		return;
	case SETTINGS_PREFIX:
		buf_puts(to, "segments of letters, digits and -._~, each after a slash");
		return;
	case SETTINGS_MODE:
		buf_puts(to, "octal digits from 0600 to 0777 that let the owner read and write");
		return;
	case SETTINGS_ACCOUNT:
		buf_puts(to, "a name without blanks, colons and slashes, or empty");
		return;
	case SETTINGS_LEVEL:
		buf_puts(to, "one of error, warning, info and debug");
		return;
	case SETTINGS_DURABILITY:
		buf_puts(to, "written or synced");
		return;
	case SETTINGS_NETWORKS:
		buf_puts(to, "a list of networks (127.0.0.1, ::1, 10.0.0.0/8: no bits behind the 8), "
		             "or empty");
		return;
	case SETTINGS_ORIGINS:
		buf_puts(to, "a list of origins (https://runs.example.org), * alone, or empty");
		return;
	}
}
