/*
 * One HTTP request at a time, as long as its answer may be, on the loop: libcurl does the rest
 * (TLS, redirections, proxies and ~/.netrc as curl(1) has them).
 */
#ifndef ADMIN_HTTP_GET_H
#define ADMIN_HTTP_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct http_get;

struct http_answer {
	long status;              /* 0: none came */
	const char *content_type; /* "" if it is not said; borrowed */
	int64_t retry_after_s;    /* 0 if it is not said */
};

struct http_get_handler {
	/* A piece of the answer's body. False: no more of it is wanted. */
	bool (*bytes)(void *arg, const struct http_answer *answer, const char *bytes, size_t length);
	/* It is over, and another may be started. problem: why it is not whole; NULL if it is. */
	void (*end)(void *arg, const struct http_answer *answer, const char *problem);
};

/* Borrows loop, handler and arg. 0 or -ENOMEM; returns owned. */
int http_get_new(struct loop *loop, const struct http_get_handler *handler, void *arg,
                 struct http_get **ret_get);
/* Ends what goes on, without a word. Takes NULL. */
void http_get_free(struct http_get **get);

/* Begins; headers are whole lines, and end with NULL. 0 or -ENOMEM. Not while another goes on. */
int http_get_start(struct http_get *get, const char *url, const char *const *headers);

#endif
