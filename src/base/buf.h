/*
 * A growable run of bytes. Appending never fails half-way: once memory ran out the buffer keeps
 * the error and ignores what is appended, so that a caller may append much and ask buf_error()
 * once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;           /* not NUL-terminated, unless by buf_string() */
	size_t length_bytes;
	size_t capacity_bytes;
	int error;            /* 0 or -errno of the first failure */
};

#define BUF_INIT { 0 }

void buf_init(struct buf *b);
void buf_fini(struct buf *b); /* frees the bytes; b may be used again */

/* Forgets the content and the error; keeps the memory. */
void buf_clear(struct buf *b);

void buf_append(struct buf *b, const void *bytes, size_t length);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/*
 * Makes room for length more bytes and returns where they go (borrowed, until the next call),
 * or NULL. The caller adds what it wrote to length_bytes itself.
 */
char *buf_reserve(struct buf *b, size_t length);

/* Drops the first length bytes. */
void buf_consume(struct buf *b, size_t length);

/* 0, or the -errno of the first failure since init or clear. */
int buf_error(const struct buf *b);

/* Borrows the content as a NUL-terminated string; "" after an error. */
const char *buf_string(struct buf *b);

#endif
