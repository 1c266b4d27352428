/* Whole numbers to and from text: strict, bounded, without locale. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

enum { NUM_U64_BYTES = 20 }; /* most digits of a uint64_t; no NUL counted */

/*
 * Reads all length bytes of text as an unsigned decimal number: digits only, no sign, no space.
 * Returns 0; -EINVAL if there is no digit or another character; -ERANGE above UINT64_MAX.
 */
int num_parse_u64(const char *text, size_t length, uint64_t *ret_value);

/* Writes value in decimal, without a NUL; returns the number of bytes. */
size_t num_format_u64(uint64_t value, char ret_text[static NUM_U64_BYTES]);

#endif
