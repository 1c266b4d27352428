#include "worker/body.h"

#include <errno.h>

int
body_begin(struct body *body, size_t expected_bytes, size_t *total_bytes)
{
	if (*total_bytes + expected_bytes > BODY_TOTAL_BYTES)
		return -EAGAIN;
	/* At once: growing by and by would take up to twice as much as is accounted for. */
	if (!buf_reserve(&body->bytes, expected_bytes + 1))
		return -ENOMEM;
	body->expected_bytes = expected_bytes;
	body->total_bytes = total_bytes;
	*total_bytes += expected_bytes;
	return 0;
}

void
body_fini(struct body *body)
{
	buf_fini(&body->bytes);
	if (body->total_bytes)
		*body->total_bytes -= body->expected_bytes;
	body->total_bytes = NULL;
}

int
body_add(struct body *body, struct fastcgi_stdin *input, uint16_t request_id, const uint8_t *bytes,
         size_t length)
{
	const uint8_t *content;
	size_t content_length;
	bool is_longer = false;

	for (;;) {
		int r = fastcgi_stdin_next(input, request_id, &bytes, &length, &content, &content_length);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		if (content_length > body->expected_bytes - body->bytes.length_bytes)
			is_longer = true; /* what came with it is passed over */
		else
			buf_append(&body->bytes, content, content_length);
	}
	if (is_longer)
		return -EMSGSIZE;
	if (!input->is_over)
		return -EAGAIN;
	return body->bytes.length_bytes == body->expected_bytes ? 0 : -EMSGSIZE;
}
