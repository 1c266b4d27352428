#include "worker/cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/origin.h"
#include "worker/answer.h"

/* How long a browser need not ask again; some keep it for no longer than this in any case. */
#define MAX_AGE_S "7200"

char *
cors_headers(const char *origins, const char *origin)
{
	char *headers;

	if (*origin == '\0' || !origin_list_has(origins, origin))
		return strdup("");
	/* What a page may read of an answer is little without being told. */
	if (asprintf(&headers,
	             "Access-Control-Allow-Origin: %s\r\n"
	             "Access-Control-Expose-Headers: Location, Retry-After\r\n"
	             "%s",
	             origin_list_is_any(origins) ? "*" : origin,
	             origin_list_is_any(origins) ? "" : "Vary: Origin\r\n") < 0)
		return NULL;
	return headers;
}

struct block *
cors_answer_options(const struct answer_style *style, const char *methods)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "Status: 204 No Content\r\nAllow: %s\r\n%s", methods, style->headers);
	/* Who is not allowed is not told more. */
	if (*style->headers)
		buf_printf(&text,
		           "Access-Control-Allow-Methods: %s\r\n"
		           "Access-Control-Allow-Headers: Content-Type, Last-Event-ID, Idempotency-Key, "
		           "Cache-Control\r\n"
		           "Access-Control-Max-Age: " MAX_AGE_S "\r\n",
		           methods);
	buf_puts(&text, "\r\n");
	return block_take(&text);
}
