#include "base/logfmt.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/must.h"

/* What is being written: it never grows beyond its capacity, which keeps room for a NUL. */
struct out {
	char *text;
	size_t length, capacity;
	bool is_quoted; /* between quotes of the format */
};

static void
put(struct out *out, const char *text, size_t length)
{
	if (length > out->capacity - 1 - out->length)
		length = out->capacity - 1 - out->length;
	memcpy(out->text + out->length, text, length);
	out->length += length;
}

/* Nothing in it has a meaning of its own: for logfmt, a shell, a terminal. */
static bool
is_plain(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = value[i], letter = (char)(c | 0x20);

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '+' && c <= ':') && c != '_' &&
		    c != '@' && c != '%') /* from + to : are , - . / and digits */
			return false;
	}
	return length > 0;
}

/* Returns how many bytes it is. */
static size_t
escape(unsigned char c, char ret_text[static 4])
{
	static const char digits[] = "0123456789abcdef";

	if (c == '"' || c == '\\') {
		ret_text[0] = '\\';
		ret_text[1] = (char)c;
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		ret_text[0] = (char)c;
		return 1;
	}
	ret_text[0] = '\\';
	ret_text[1] = 'x';
	ret_text[2] = digits[c >> 4];
	ret_text[3] = digits[c & 15];
	return 4;
}

static void
put_value(struct out *out, const char *value, size_t length)
{
	static const char ellipsis[] = "...";
	size_t most = LOGFMT_VALUE_BYTES, used = 0;
	bool adds_quotes;

	if (!value)
		length = 0;
	adds_quotes = !out->is_quoted && !is_plain(value, length);
	/* The end of the value and its quote are there even where the text is cut. */
	if (most > out->capacity - out->length)
		most = out->capacity - out->length;
	if (most < sizeof(ellipsis) + 3)
		return;
	most -= sizeof(ellipsis) + 2;
	if (adds_quotes)
		put(out, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		char text[4];
		size_t n = escape((unsigned char)value[i], text);

		if (used + n > most) {
			put(out, ellipsis, sizeof(ellipsis) - 1);
			break;
		}
		put(out, text, n);
		used += n;
	}
	if (adds_quotes)
		put(out, "\"", 1);
}

size_t
logfmt_value(char *to, size_t capacity, const char *value, size_t length)
{
	struct out out = { .text = to, .capacity = capacity };

	put_value(&out, value, strnlen(value, length));
	to[out.length] = '\0';
	return out.length;
}

/* --- formats ------------------------------------------------------------------------------------ */

static intmax_t
take_signed(const char *size, va_list *args)
{
	if (strcmp(size, "l") == 0)
		return va_arg(*args, long);
	if (strcmp(size, "ll") == 0)
		return va_arg(*args, long long);
	if (strcmp(size, "j") == 0)
		return va_arg(*args, intmax_t);
	if (strcmp(size, "z") == 0)
		return va_arg(*args, ssize_t);
	must(!*size);
	return va_arg(*args, int);
}

static uintmax_t
take_unsigned(const char *size, va_list *args)
{
	if (strcmp(size, "l") == 0)
		return va_arg(*args, unsigned long);
	if (strcmp(size, "ll") == 0)
		return va_arg(*args, unsigned long long);
	if (strcmp(size, "j") == 0)
		return va_arg(*args, uintmax_t);
	if (strcmp(size, "z") == 0)
		return va_arg(*args, size_t);
	must(!*size);
	return va_arg(*args, unsigned);
}

/* One conversion, from behind its %; returns what follows it. */
static const char *
convert(struct out *out, const char *at, va_list *args)
{
	size_t most = SIZE_MAX, length = strspn(at, "hlzj");
	char size[4] = "", number[32];
	int n = 0;

	if (at[0] == '.' && at[1] == '*') {
		int precision = va_arg(*args, int);

		most = precision > 0 ? (size_t)precision : 0;
		at += 2;
		length = 0;
	}
	must(length < sizeof(size));
	memcpy(size, at, length);
	at += length;
	switch (*at) {
	case 's': {
		const char *value = va_arg(*args, const char *);

		put_value(out, value, value ? strnlen(value, most) : 0);
		break;
	}
	case 'c': {
		char c = (char)va_arg(*args, int);

		put_value(out, &c, 1);
		break;
	}
	case 'd':
	case 'i':
		n = snprintf(number, sizeof(number), "%jd", take_signed(size, args));
		break;
	case 'u':
		n = snprintf(number, sizeof(number), "%ju", take_unsigned(size, args));
		break;
	case 'x':
		n = snprintf(number, sizeof(number), "%jx", take_unsigned(size, args));
		break;
	default:
		must(*at == '%');
		number[0] = '%';
		n = 1;
	}
	put(out, number, (size_t)n);
	return at + 1;
}

size_t
logfmt_vformat(char *to, size_t capacity, const char *format, va_list args)
{
	struct out out = { .text = to, .capacity = capacity };
	va_list rest;

	va_copy(rest, args);
	while (*format) {
		if (*format == '%') {
			format = convert(&out, format + 1, &rest);
			continue;
		}
		if (*format == '"')
			out.is_quoted = !out.is_quoted;
		put(&out, format++, 1);
	}
	va_end(rest);
	to[out.length] = '\0';
	return out.length;
}
