#include "model/fastcgi.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"

struct record {
	uint8_t type;
	uint16_t request_id;
	size_t content_bytes, padding_bytes;
};

static uint16_t
get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct record
get_header(const uint8_t *at)
{
	return (struct record){ .type = at[1],
		                .request_id = get_u16(at + 2),
		                .content_bytes = get_u16(at + 4),
		                .padding_bytes = at[6] };
}

static int
check_record(const struct fastcgi_request *request, const struct record *record)
{
	if (request->request_id == 0) {
		if (record->type != FCGI_BEGIN_REQUEST || record->request_id == FCGI_NULL_REQUEST_ID ||
		    record->content_bytes != sizeof(FCGI_BeginRequestBody))
			return -EPROTO;
		return 0;
	}
	if (record->request_id != request->request_id)
		return -EPROTO;
	if (record->type == FCGI_ABORT_REQUEST)
		return -ECANCELED;
	return record->type == FCGI_PARAMS ? 0 : -EPROTO;
}

int
fastcgi_parse(struct fastcgi_request *request, const uint8_t *bytes, size_t length)
{
	must(request->head_bytes <= length);
	while (!request->is_complete) {
		const uint8_t *at = bytes + request->head_bytes;
		size_t left = length - request->head_bytes;
		size_t room = FASTCGI_HEAD_BYTES - request->head_bytes, whole;
		struct record record;
		int error;

		if (room < FCGI_HEADER_LEN)
			return -E2BIG;
		/* A peer that speaks another protocol is known by its first byte. */
		if (left > 0 && at[0] != FCGI_VERSION_1)
			return -EPROTO;
		if (left < FCGI_HEADER_LEN)
			return -EAGAIN;
		record = get_header(at);
		error = check_record(request, &record);
		if (error)
			return error;
		whole = FCGI_HEADER_LEN + record.content_bytes + record.padding_bytes;
		if (whole > room)
			return -E2BIG;
		if (whole > left)
			return -EAGAIN;
		request->head_bytes += whole;
		if (record.type == FCGI_BEGIN_REQUEST) {
			request->request_id = record.request_id;
			request->role = get_u16(at + FCGI_HEADER_LEN);
			request->keeps_connection = at[FCGI_HEADER_LEN + 2] & FCGI_KEEP_CONN;
			if (request->role != FCGI_RESPONDER)
				return -EOPNOTSUPP;
		} else if (record.content_bytes == 0) {
			request->is_complete = true;
		}
		request->params_bytes += record.type == FCGI_PARAMS ? record.content_bytes : 0;
	}
	return 0;
}

/* Moves the contents of the PARAMS records together, to the front. */
static void
gather_params(const struct fastcgi_request *request, uint8_t *bytes)
{
	size_t to = 0;

	for (size_t at = 0; at < request->head_bytes;) {
		struct record record = get_header(bytes + at);

		at += FCGI_HEADER_LEN;
		if (record.type == FCGI_PARAMS) {
			memmove(bytes + to, bytes + at, record.content_bytes);
			to += record.content_bytes;
		}
		at += record.content_bytes + record.padding_bytes;
	}
	must(to == request->params_bytes);
}

/* Reads a length of one or four bytes (3.4) and moves *at behind it. */
static int
get_length(const uint8_t *bytes, size_t end, size_t *at, size_t *ret_length)
{
	const uint8_t *from = bytes + *at;

	if (end - *at < 1)
		return -EPROTO;
	if (from[0] < 0x80) {
		*ret_length = from[0];
		*at += 1;
		return 0;
	}
	if (end - *at < 4)
		return -EPROTO;
	*ret_length = (size_t)(from[0] & 0x7f) << 24 | (size_t)from[1] << 16 | (size_t)from[2] << 8 |
		      from[3];
	*at += 4;
	return 0;
}

/* Moves length bytes, and ends them with a NUL. */
static int
put_string(uint8_t *bytes, size_t *to, size_t from, size_t length)
{
	if (memchr(bytes + from, '\0', length))
		return -EPROTO;
	memmove(bytes + *to, bytes + from, length);
	*to += length;
	bytes[(*to)++] = '\0';
	return 0;
}

int
fastcgi_params(const struct fastcgi_request *request, uint8_t *bytes,
               struct fastcgi_params *ret_params)
{
	size_t at = 0, to = 0, count = 0, end = request->params_bytes;

	must(request->is_complete);
	gather_params(request, bytes);
	for (; at < end; count++) {
		size_t name_length, value_length;
		int error = get_length(bytes, end, &at, &name_length);

		if (!error)
			error = get_length(bytes, end, &at, &value_length);
		if (error)
			return error;
		if (name_length > end - at || value_length > end - at - name_length)
			return -EPROTO;
		/* A pair's two lengths take two bytes at least: its two NULs fit in their place,
		 * and what is written never overtakes what is read. */
		error = put_string(bytes, &to, at, name_length);
		at += name_length;
		if (!error)
			error = put_string(bytes, &to, at, value_length);
		at += value_length;
		if (error)
			return error;
	}
	*ret_params = (struct fastcgi_params){ .text = (const char *)bytes,
		                               .length_bytes = to,
		                               .count = count };
	return 0;
}

bool
fastcgi_param_next(const struct fastcgi_params *params, size_t *at, const char **ret_name,
                   const char **ret_value)
{
	const char *name, *value;

	if (*at >= params->length_bytes)
		return false;
	name = params->text + *at;
	value = name + strlen(name) + 1;
	*at = (size_t)(value - params->text) + strlen(value) + 1;
	*ret_name = name;
	*ret_value = value;
	return true;
}

const char *
fastcgi_param(const struct fastcgi_params *params, const char *name, size_t *ret_length)
{
	const char *other, *value;

	for (size_t at = 0; fastcgi_param_next(params, &at, &other, &value);)
		if (strcmp(other, name) == 0) {
			if (ret_length)
				*ret_length = strlen(value);
			return value;
		}
	return NULL;
}

static void
put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

void
fastcgi_put_header(uint8_t to[static FCGI_HEADER_LEN], uint8_t type, uint16_t request_id,
                   uint16_t content_bytes, uint8_t padding_bytes)
{
	to[0] = FCGI_VERSION_1;
	to[1] = type;
	put_u16(to + 2, request_id);
	put_u16(to + 4, content_bytes);
	to[6] = padding_bytes;
	to[7] = 0;
}

void
fastcgi_put_end(uint8_t to[static FASTCGI_END_BYTES], uint16_t request_id, uint32_t app_status,
                uint8_t protocol_status)
{
	fastcgi_put_header(to, FCGI_END_REQUEST, request_id, sizeof(FCGI_EndRequestBody), 0);
	put_u16(to + 8, (uint16_t)(app_status >> 16));
	put_u16(to + 10, (uint16_t)app_status);
	to[12] = protocol_status;
	memset(to + 13, 0, 3);
}

void
fastcgi_put_finish(uint8_t to[static FASTCGI_FINISH_BYTES], uint16_t request_id)
{
	fastcgi_put_header(to, FCGI_STDOUT, request_id, 0, 0);
	fastcgi_put_end(to + FCGI_HEADER_LEN, request_id, 0, FCGI_REQUEST_COMPLETE);
}

/* The header of the next record is whole. */
static int
begin_stdin_record(struct fastcgi_stdin *s, uint16_t request_id)
{
	struct record record = get_header(s->header);

	s->header_bytes = 0;
	if (s->header[0] != FCGI_VERSION_1 || record.request_id != request_id)
		return -EPROTO;
	if (record.type == FCGI_ABORT_REQUEST)
		return -ECANCELED;
	if (record.type != FCGI_STDIN)
		return -EPROTO;
	s->content_left = (uint16_t)record.content_bytes;
	s->padding_left = (uint8_t)record.padding_bytes;
	s->is_over = record.content_bytes == 0;
	return 0;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

int
fastcgi_stdin_next(struct fastcgi_stdin *s, uint16_t request_id, const uint8_t **bytes,
                   size_t *length, const uint8_t **ret_content, size_t *ret_content_length)
{
	while (*length > 0) {
		const uint8_t *at = *bytes;
		size_t n;
		int error;

		if (s->content_left > 0) {
			n = least(*length, s->content_left);
			s->content_left = (uint16_t)(s->content_left - n);
			*bytes += n;
			*length -= n;
			*ret_content = at;
			*ret_content_length = n;
			return 1;
		}
		if (s->padding_left > 0) {
			n = least(*length, s->padding_left);
			s->padding_left = (uint8_t)(s->padding_left - n);
		} else {
			if (s->is_over)
				return -EPROTO;
			n = least(*length, FCGI_HEADER_LEN - (size_t)s->header_bytes);
			memcpy(s->header + s->header_bytes, at, n);
			s->header_bytes = (uint8_t)(s->header_bytes + n);
		}
		*bytes += n;
		*length -= n;
		if (s->header_bytes == FCGI_HEADER_LEN) {
			error = begin_stdin_record(s, request_id);
			if (error)
				return error;
		}
	}
	return 0;
}

int
fastcgi_stdin_skip(struct fastcgi_stdin *s, uint16_t request_id, const uint8_t *bytes, size_t length)
{
	const uint8_t *content;
	size_t content_length;
	int r;

	do
		r = fastcgi_stdin_next(s, request_id, &bytes, &length, &content, &content_length);
	while (r > 0);
	return r;
}
