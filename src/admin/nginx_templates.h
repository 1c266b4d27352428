/* The nginx configuration that puts an instance behind a server: two files to include. */
#ifndef ADMIN_NGINX_TEMPLATES_H
#define ADMIN_NGINX_TEMPLATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum nginx_mode {
	NGINX_STREAMS, /* the paths of streams alone */
	NGINX_ALL,     /* everything under the prefix, and /metrics */
};

/* All borrowed. */
struct nginx_values {
	const char *runtime_dir; /* absolute */
	const char *prefix;      /* api.prefix: "/api"; "" for none */
	uint32_t socket_count;
	int64_t refused_retry_s;
	int64_t max_body_bytes;   /* recording.max_body_bytes */
	const char *cors_origins; /* api.cors_origins */
	enum nginx_mode mode;
};

/*
 * 0, or -EINVAL if a value holds what cannot be written into an nginx configuration (a quote, a
 * backslash, a dollar, a control character; blanks and braces are quoted).
 */
int nginx_check(const struct nginx_values *values);

/* Appends the file for http{}: the upstream, and what @busy is chosen by. */
void nginx_put_upstream(struct buf *to, const struct nginx_values *values);
/* Appends the file for server{}: the locations. */
void nginx_put_locations(struct buf *to, const struct nginx_values *values);

#endif
