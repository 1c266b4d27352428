/* A FastCGI request, head and body: read at once and in pieces, with the same outcome. */
#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/fastcgi.h"

static void
check_params(const struct fastcgi_request *request, const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size);
	struct fastcgi_params params;
	const char *name, *value;
	size_t at = 0, count = 0;

	must(bytes);
	memcpy(bytes, data, size);
	if (fastcgi_params(request, bytes, &params) == 0) {
		while (fastcgi_param_next(&params, &at, &name, &value)) {
			must(fastcgi_param(&params, name, NULL) != NULL);
			count++;
		}
		must(at == params.length_bytes && count == params.count);
	}
	/* The body that came with the head is as it was. */
	must(memcmp(bytes + request->head_bytes, data + request->head_bytes,
	            size - request->head_bytes) == 0);
	free(bytes);
}

/* Walks through a body in pieces; returns how it ended, and what was in it. */
static int
walk_body(const uint8_t *data, size_t size, size_t step, struct fastcgi_stdin *ret_stdin,
          uint8_t *ret_content, size_t *ret_length)
{
	struct fastcgi_stdin s = { .is_over = false };
	size_t length = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += step) {
		const uint8_t *from = data + at, *content;
		size_t left = size - at < step ? size - at : step, n;

		while ((r = fastcgi_stdin_next(&s, 1, &from, &left, &content, &n)) == 1) {
			must(n > 0 && content >= data + at && content + n == from);
			memcpy(ret_content + length, content, n);
			length += n;
		}
		must(r < 0 || left == 0);
	}
	*ret_stdin = s;
	*ret_length = length;
	return r;
}

static void
check_body(const uint8_t *data, size_t size)
{
	uint8_t *whole = malloc(size + 1), *pieces = malloc(size + 1);
	struct fastcgi_stdin a, b, c = { .is_over = false };
	size_t whole_length, pieces_length;
	int result;

	must(whole && pieces);
	result = walk_body(data, size, size + 1, &a, whole, &whole_length);
	must(walk_body(data, size, 3, &b, pieces, &pieces_length) == result);
	must(whole_length == pieces_length && memcmp(whole, pieces, whole_length) == 0);
	must(whole_length <= size && a.is_over == b.is_over);
	must(fastcgi_stdin_skip(&c, 1, data, size) == result && c.is_over == a.is_over);
	free(whole);
	free(pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fastcgi_request whole = { 0 }, pieces = { 0 };
	size_t step = size / 16 + 1;
	int result = fastcgi_parse(&whole, data, size), again = -EAGAIN;

	must(whole.head_bytes <= size && whole.head_bytes <= FASTCGI_HEAD_BYTES);
	must(result != -EAGAIN || size < FASTCGI_HEAD_BYTES);
	for (size_t length = 0; again == -EAGAIN && length < size; length += step)
		again = fastcgi_parse(&pieces, data, length);
	if (again == -EAGAIN)
		again = fastcgi_parse(&pieces, data, size);
	must(again == result && memcmp(&whole, &pieces, sizeof(whole)) == 0);
	if (result == 0)
		check_params(&whole, data, size);
	check_body(data, size);
	if (result == 0)
		check_body(data + whole.head_bytes, size - whole.head_bytes);
	return 0;
}
