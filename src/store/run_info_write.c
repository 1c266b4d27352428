#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "model/utf8.h"
#include "store/run_dir.h"
#include "store/run_info.h"
#include "store/run_info_keys.h"

#define ZERO_TIME "0001-01-01T00:00:00Z"

/* Words that YAML 1.1 takes for something else than text. */
static bool
is_reserved(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off",
		                             "y", "n" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool
may_be_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char inner[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return text[0] != '\0' && strchr(letters, text[0]) && text[strspn(text, inner)] == '\0' &&
	       !is_reserved(text);
}

/* A double-quoted scalar (YAML 1.2, 7.3.1). */
static void
put_quoted(struct buf *to, const char *text)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);

	buf_putc(to, '"');
	while (at < end) {
		int length = utf8_next(at, (size_t)(end - at));

		if (length < 0) {
			buf_putc(to, '?');
			length = -length;
		} else if (*at == '"' || *at == '\\') {
			buf_printf(to, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f) {
			buf_printf(to, "\\x%02x", *at);
		} else if (*at == 0xc2 && at[1] < 0xa0) {
			buf_printf(to, "\\x%02x", at[1]); /* U+0080 to U+009F */
		} else if (*at == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) {
			buf_puts(to, at[2] == 0xa8 ? "\\L" : "\\P"); /* would be line breaks */
		} else if (*at == 0xef && ((at[1] == 0xbb && at[2] == 0xbf) ||
		                           (at[1] == 0xbf && at[2] >= 0xbe))) {
			buf_putc(to, '?'); /* U+FEFF, U+FFFE, U+FFFF */
		} else {
			buf_append(to, at, (size_t)length);
		}
		at += length;
	}
	buf_putc(to, '"');
}

static void
put_value(struct buf *to, const struct run_info_key *key, const struct run_info *info)
{
	const char *at = (const char *)info + key->offset;
	char now[CLOCK_RFC3339_BYTES];
	const char *text;
	int64_t number;

	switch (key->type) {
	case RUN_INFO_TEXT:
		memcpy(&text, at, sizeof(text));
		if (may_be_plain(text))
			buf_puts(to, text);
		else
			put_quoted(to, text);
		return;
	case RUN_INFO_NUMBER:
		memcpy(&number, at, sizeof(number));
		buf_printf(to, "%jd", (intmax_t)number);
		return;
	case RUN_INFO_EXIT_CODE:
		buf_printf(to, "%d", info->exit_code);
		return;
	case RUN_INFO_TIME:
		memcpy(&number, at, sizeof(number));
		if (number == 0) {
			buf_puts(to, ZERO_TIME);
		} else {
			clock_format_rfc3339(number, now);
			buf_puts(to, now);
		}
		return;
	}
	must(false);
}

/* What readers may count on is always there; the rest when it says something. */
static bool
is_written(const struct run_info_key *key, const struct run_info *info)
{
	const char *at = (const char *)info + key->offset;
	const char *text;
	int64_t number;

	if (key->type == RUN_INFO_TEXT) {
		memcpy(&text, at, sizeof(text));
		return text && text[0] != '\0';
	}
	if (key->type == RUN_INFO_NUMBER) {
		memcpy(&number, at, sizeof(number));
		return number != 0;
	}
	return true;
}

static int
write_file(int dir_fd, const char *name, const struct buf *text, bool sync)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int error;

	if (fd < 0 && errno == EEXIST) {
		/* Left by one that had our pid and was killed. */
		unlinkat(dir_fd, name, 0);
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		            0644);
	}
	if (fd < 0)
		return -errno;
	error = fd_write_all(fd, text->data, text->length_bytes);
	if (!error && sync && fsync(fd) < 0)
		error = -errno;
	if (close(fd) < 0 && !error) /* NFS tells here that the disk is full */
		error = -errno;
	return error;
}

int
run_info_write(int dir_fd, const char *name, const struct run_info *info, bool sync)
{
	char temporary[NAME_MAX + 1];
	struct buf text = BUF_INIT;
	int n, error;

	n = snprintf(temporary, sizeof(temporary), ".%s.%jd", name, (intmax_t)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	buf_printf(&text, "version: %d\n", RUN_INFO_VERSION);
	for (size_t i = 0; i < RUN_INFO_KEYS; i++) {
		if (!is_written(&run_info_keys[i], info))
			continue;
		buf_printf(&text, "%s: ", run_info_keys[i].name);
		put_value(&text, &run_info_keys[i], info);
		buf_putc(&text, '\n');
	}
	error = buf_error(&text);
	if (!error && text.length_bytes > RUN_INFO_BYTES)
		error = -EFBIG;
	if (!error) {
		error = write_file(dir_fd, temporary, &text, sync);
		if (!error && renameat(dir_fd, temporary, dir_fd, name) < 0)
			error = -errno;
		if (error)
			unlinkat(dir_fd, temporary, 0);
		else if (sync)
			error = run_dir_sync(dir_fd);
	}
	buf_fini(&text);
	return error;
}
