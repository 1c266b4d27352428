/* Pages of other origins (WHATWG Fetch, 3.2, "CORS protocol"): who may read our answers. */
#ifndef WORKER_CORS_H
#define WORKER_CORS_H

struct answer_style;
struct block;

/*
 * The headers that every answer to this request bears, each with its CRLF: none ("") without an
 * origin, or when the list (api.cors_origins) does not have it. Returns owned, or NULL without
 * memory. Credentials are never allowed: nothing we say depends on them.
 */
char *cors_headers(const char *origins, const char *origin);

/* 204 to OPTIONS, on a path where these methods are answered: a preflight, or a mere question. */
struct block *cors_answer_options(const struct answer_style *style, const char *methods);

#endif
