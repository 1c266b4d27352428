#include "admin/printable.h"

#include <stdint.h>
#include <string.h>

#include "admin/command.h"
#include "model/utf8.h"

static void
put_escaped(struct buf *to, const char *bytes, int count)
{
	for (int i = 0; i < count; i++)
		buf_printf(to, "\\x%02x", (unsigned char)bytes[i]);
}

static void
put(struct buf *to, const char *text, bool is_for_terminal)
{
	size_t length = strlen(text);

	for (size_t at = 0; at < length;) {
		const char *from = text + at;
		unsigned char c = (unsigned char)*from;
		int n = utf8_next((const uint8_t *)from, length - at);
		/* C1 controls, U+0080 to U+009F, are what some terminals obey as well. */
		bool is_control = c < 0x20 || c == 0x7f ||
		                  (n == 2 && c == 0xc2 && (unsigned char)from[1] < 0xa0);

		if (is_for_terminal && (n < 0 || is_control))
			put_escaped(to, from, n < 0 ? -n : n);
		else if (n < 0)
			buf_puts(to, "\xef\xbf\xbd");
		else
			buf_append(to, from, (size_t)n);
		at += (size_t)(n < 0 ? -n : n);
	}
}

void
printable_put(struct buf *to, const char *text)
{
	put(to, text, true);
}

void
printable_put_utf8(struct buf *to, const char *text)
{
	put(to, text, false);
}

void
printable_warn(const char *text)
{
	struct buf clean = BUF_INIT;

	printable_put(&clean, text);
	command_warn("%s", buf_string(&clean));
	buf_fini(&clean);
}
