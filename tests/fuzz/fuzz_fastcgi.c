/* The head of a FastCGI request: read at once and in pieces, with the same outcome. */
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
	return 0;
}
