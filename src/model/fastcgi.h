/*
 * FastCGI 1.0 (the "FastCGI Specification", Mark R. Brown, 1996) as a responder speaks it that
 * serves one request a connection: the head of a request is read (BEGIN_REQUEST and PARAMS),
 * records are written. The constants are those of libfcgi's <fastcgi.h>.
 *
 * Stricter than the specification where a web server has no use for the freedom: records of
 * other request ids (it wants inactive ones ignored, 3.3), a second BEGIN_REQUEST, and
 * management records (id 0; 4.1 has them "at startup" of an application that the web server
 * starts itself) are errors, and the answer to an error is to close the connection.
 */
#ifndef MODEL_FASTCGI_H
#define MODEL_FASTCGI_H

#include <fastcgi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FASTCGI_HEAD_BYTES = 64 * 1024,  /* longest head: all records up to the empty PARAMS */
	FASTCGI_END_BYTES = 16,          /* an END_REQUEST record */
	FASTCGI_FINISH_BYTES = 8 + FASTCGI_END_BYTES,
};

/* What was read of a head so far; zero-initialised. The caller keeps the bytes. */
struct fastcgi_request {
	size_t head_bytes;   /* whole records read; when complete, what follows is STDIN */
	size_t params_bytes; /* sum of the contents of the PARAMS records */
	uint16_t request_id; /* 0 until BEGIN_REQUEST was read */
	uint16_t role;
	bool keeps_connection; /* FCGI_KEEP_CONN: the web server, not we, would close it */
	bool is_complete;
};

/*
 * Reads on in bytes, which hold all that came so far (the start of it unchanged since the last
 * call; no record is looked at twice). Returns
 *   0            the head is complete, and ends at request->head_bytes;
 *   -EAGAIN      good so far, more is needed (never with FASTCGI_HEAD_BYTES and more);
 *   -E2BIG       it is going to be longer than FASTCGI_HEAD_BYTES;
 *   -EOPNOTSUPP  another role than FCGI_RESPONDER: request_id is set, so that the caller can
 *                end it with FCGI_UNKNOWN_ROLE;
 *   -ECANCELED   ABORT_REQUEST came instead of the rest;
 *   -EPROTO      not FastCGI, or nothing we accept.
 */
int fastcgi_parse(struct fastcgi_request *request, const uint8_t *bytes, size_t length);

/* What follows the head, the body: STDIN records up to an empty one (5.3). Zero-initialised. */
struct fastcgi_stdin {
	uint8_t header[FCGI_HEADER_LEN];
	uint8_t header_bytes;  /* of it that came */
	uint8_t padding_left;  /* of the record begun: to come */
	uint16_t content_left;
	bool is_over;          /* the empty record came */
};

/*
 * Walks through the next bytes, and moves *bytes and *length on. 1: a piece of the body, in place
 * (borrowed); 0: they are used up (see is_over); -EPROTO: other records than STDIN of this
 * request, or something behind its end; -ECANCELED: ABORT_REQUEST.
 */
int fastcgi_stdin_next(struct fastcgi_stdin *s, uint16_t request_id, const uint8_t **bytes,
                       size_t *length, const uint8_t **ret_content, size_t *ret_content_length);

/* The same for a body that nobody wants: passes over all of the bytes. 0 or an error as above. */
int fastcgi_stdin_skip(struct fastcgi_stdin *s, uint16_t request_id, const uint8_t *bytes,
                       size_t length);

/* The parameters of a request; borrows the bytes that they were read from. */
struct fastcgi_params {
	const char *text; /* name NUL value NUL name NUL … */
	size_t length_bytes;
	size_t count;
};

/*
 * Reads the parameters of a complete head (3.4, 5.2). Works in place: afterwards, and after a
 * failure too, the head itself is gone, while what follows it in bytes is as it was.
 * Returns 0, or -EPROTO: lengths that contradict each other, or a NUL in a name or value (none
 * can be part of an HTTP request, and who takes them for C strings would see another value).
 */
int fastcgi_params(const struct fastcgi_request *request, uint8_t *bytes,
                   struct fastcgi_params *ret_params);

/* Borrows the value (NUL-terminated) of the first parameter of that name, or NULL. ret_length
 * may be NULL. */
const char *fastcgi_param(const struct fastcgi_params *params, const char *name,
                          size_t *ret_length);

/* Goes through them all: *at is 0 at first. False at the end. */
bool fastcgi_param_next(const struct fastcgi_params *params, size_t *at, const char **ret_name,
                        const char **ret_value);

/* Writes a record's header (3.3). */
void fastcgi_put_header(uint8_t to[static FCGI_HEADER_LEN], uint8_t type, uint16_t request_id,
                        uint16_t content_bytes, uint8_t padding_bytes);

/* Writes END_REQUEST (5.5) with FCGI_REQUEST_COMPLETE, FCGI_UNKNOWN_ROLE, … */
void fastcgi_put_end(uint8_t to[static FASTCGI_END_BYTES], uint16_t request_id,
                     uint32_t app_status, uint8_t protocol_status);

/* Writes what ends an answer: an empty STDOUT and END_REQUEST with FCGI_REQUEST_COMPLETE. */
void fastcgi_put_finish(uint8_t to[static FASTCGI_FINISH_BYTES], uint16_t request_id);

#endif
