#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

void
buf_init(struct buf *b)
{
	*b = (struct buf)BUF_INIT;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b);
}

void
buf_clear(struct buf *b)
{
	b->length_bytes = 0;
	b->error = 0;
}

char *
buf_reserve(struct buf *b, size_t length)
{
	size_t needed, capacity;
	char *grown;

	if (b->error)
		return NULL;
	if (length <= b->capacity_bytes - b->length_bytes)
		return b->data + b->length_bytes;
	if (length > SIZE_MAX / 2 - b->length_bytes) {
		b->error = -ENOMEM;
		return NULL;
	}
	needed = b->length_bytes + length;
	capacity = b->capacity_bytes ? b->capacity_bytes : 128;
	while (capacity < needed)
		capacity += capacity / 2;
	grown = realloc(b->data, capacity);
	if (!grown) {
		b->error = -ENOMEM;
		return NULL;
	}
	b->data = grown;
	b->capacity_bytes = capacity;
	return b->data + b->length_bytes;
}

void
buf_append(struct buf *b, const void *bytes, size_t length)
{
	char *to;

	if (length == 0)
		return;
	to = buf_reserve(b, length);
	if (to) {
		memcpy(to, bytes, length);
		b->length_bytes += length;
	}
}

void
buf_puts(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void
buf_putc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void
buf_put_u64(struct buf *b, uint64_t value)
{
	char digits[NUM_U64_BYTES];

	buf_append(b, digits, num_format_u64(value, digits));
}

void
buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	char *to;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	if (length < 0) {
		if (!b->error)
			b->error = -EINVAL;
	} else if ((to = buf_reserve(b, (size_t)length + 1)) != NULL) {
		vsnprintf(to, (size_t)length + 1, format, again);
		b->length_bytes += (size_t)length;
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

void
buf_consume(struct buf *b, size_t length)
{
	must(length <= b->length_bytes);
	b->length_bytes -= length;
	if (b->length_bytes > 0)
		memmove(b->data, b->data + length, b->length_bytes);
}

int
buf_error(const struct buf *b)
{
	return b->error;
}

const char *
buf_string(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (!end)
		return "";
	*end = '\0';
	return b->data;
}
