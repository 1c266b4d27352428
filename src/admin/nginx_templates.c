#include "admin/nginx_templates.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model/origin.h"
#include "model/word_list.h"

/*
 * What the names in these files have in common, so that they meet nobody else's: "runstream".
 *
 * Sizes and times are chosen for streams: what follows is read by administrators, so that each
 * line's reason stands beside it there, not here.
 */

/* How far nginx's limit of a body is above the workers': what only they refuse, they refuse better. */
enum { BODY_FACTOR = 8 };

/* With these a client is answered as soon as a byte is there, and for as long as it stays. */
static const char fastcgi_settings[] =
	"\tfastcgi_buffering off;              # each event as it comes\n"
	"\tfastcgi_buffer_size 16k;            # headers, and what is read at once\n"
	"\tfastcgi_buffers 8 16k;              # not taken without buffering; must fit the line above\n"
	"\tfastcgi_request_buffering on;\n"
	"\tfastcgi_read_timeout 1h;            # well above api.sse.heartbeat_interval_s\n"
	"\tfastcgi_send_timeout 30s;\n"
	"\tfastcgi_connect_timeout 5s;\n"
	"\tfastcgi_keep_conn off;              # a connection is a request\n"
	"\tfastcgi_ignore_client_abort off;    # a client that leaves gives its place back\n"
	"\tfastcgi_cache off;\n"
	"\tfastcgi_pass_header X-Accel-Buffering; # for an nginx that stands before this one\n"
	"\tgzip off;                           # would hold events back, and takes 112 KB a stream\n"
	"\texpires off;                        # Cache-Control is the worker's\n"
	"\t# A full or stopping worker says 503, and the next one is asked; never twice for a POST.\n"
	"\tfastcgi_next_upstream error timeout http_503;\n"
	"\tfastcgi_intercept_errors on;\n"
	"\terror_page 502 503 504 = $runstream_busy;\n";

static const char fastcgi_params[] =
	"\tfastcgi_param REQUEST_METHOD  $request_method;\n"
	"\tfastcgi_param REQUEST_URI     $request_uri;    # raw: the worker decodes it, once\n"
	"\tfastcgi_param QUERY_STRING    $query_string;\n"
	"\tfastcgi_param CONTENT_TYPE    $content_type;\n"
	"\tfastcgi_param CONTENT_LENGTH  $content_length;\n"
	"\tfastcgi_param SERVER_PROTOCOL $server_protocol;\n"
	"\tfastcgi_param REMOTE_ADDR     $remote_addr;\n"
	"\tfastcgi_param HTTPS           $https if_not_empty;\n";

/* After the prefix; a segment is a name. Those of the HTTP interface, runstream-http(7). */
static const char *const stream_paths[] = {
	"stream",
	"v1/runs/stream/all",
	"v1/runs/[^/]+/stream",
	"v1/messages/stream",
	"runs/[^/]+/stream",
	"projects/[^/]+/messages/stream",
	"projects/[^/]+/tasks/[^/]+/messages/stream",
	"projects/[^/]+/tasks/[^/]+/runs/stream",
	"projects/[^/]+/tasks/[^/]+/runs/[^/]+/stream",
};

static bool
is_writable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f || strchr("\"'\\$", *text))
			return false;
	return true;
}

int
nginx_check(const struct nginx_values *values)
{
	return is_writable(values->runtime_dir) && is_writable(values->prefix) ? 0 : -EINVAL;
}

static void
put_regex_escaped(struct buf *to, const char *text)
{
	for (; *text; text++) {
		if (strchr(".^*+?()[]{}|", *text))
			buf_putc(to, '\\');
		buf_putc(to, *text);
	}
}

/* What the workers add to each of their answers is added to those that are given without them. */
static void
put_origins(struct buf *to, const struct nginx_values *values)
{
	const char *at = values->cors_origins, *word;
	size_t length;

	if (*at == '\0')
		return;
	buf_puts(to, "\n"
	             "# Pages of these origins may read the answers: api.cors_origins.\n"
	             "map $http_origin $runstream_origin {\n");
	if (origin_list_is_any(at))
		buf_puts(to, "\tdefault \"*\";\n\t\"\" \"\";\n");
	else
		while (word_list_next(&at, &word, &length))
			buf_printf(to, "\t\"%.*s\" $http_origin;\n", (int)length, word);
	buf_puts(to, "}\n");
}

static void
put_origin_headers(struct buf *to, const struct nginx_values *values)
{
	if (*values->cors_origins == '\0')
		return;
	buf_puts(to, "\tadd_header Access-Control-Allow-Origin $runstream_origin always;\n");
	if (!origin_list_is_any(values->cors_origins))
		buf_puts(to, "\tadd_header Vary Origin always;\n");
}

void
nginx_put_upstream(struct buf *to, const struct nginx_values *values)
{
	int64_t base_ms = values->refused_retry_s * 1000;

	buf_puts(to, "# runstream, for http{}: made by \"runstreamctl nginx-config upstream\".\n"
	             "# The sockets of one instance, which its workers share: least_conn over them, in a zone\n"
	             "# that nginx's own workers share, spreads streams evenly.\n"
	             "upstream runstream {\n"
	             "\tzone runstream 256k;\n"
	             "\tleast_conn;\n"
	             "\t# max_fails=0: a worker that was restarted is asked again at once.\n");
	for (uint32_t i = 1; i <= values->socket_count; i++)
		buf_printf(to, "\tserver \"unix:%s/worker-%" PRIu32 ".sock\" max_fails=0;\n",
		           values->runtime_dir, i);
	buf_puts(to, "}\n"
	             "\n"
	             "# Who answers when no worker can: to an EventSource any status but 200 would be the\n"
	             "# end, so it is told to come back instead.\n"
	             "map $http_accept $runstream_busy {\n"
	             "\tdefault                @runstream_busy;\n"
	             "\t\"~*text/event-stream\" @runstream_busy_events;\n"
	             "}\n"
	             "\n"
	             "# In milliseconds, around api.sse.refused_retry_s: not all at the same moment.\n"
	             "split_clients $request_id $runstream_busy_retry_ms {\n");
	for (int i = 0; i < 5; i++) {
		char share[8] = "*";

		if (i < 4)
			memcpy(share, "20%", 4);
		buf_printf(to, "\t%-3s %" PRId64 ";\n", share, base_ms / 2 + base_ms * i / 4);
	}
	buf_puts(to, "}\n");
	put_origins(to, values);
}

/* The answers of the last resort. Types are emptied, or a name's ".html" would choose one. */
static void
put_busy(struct buf *to, const struct nginx_values *values)
{
	buf_puts(to, "\n"
	             "location @runstream_busy_events {\n"
	             "\ttypes { }\n"
	             "\tdefault_type text/event-stream;\n"
	             "\tgzip off;\n"
	             "\tadd_header Cache-Control no-cache always;\n");
	put_origin_headers(to, values);
	buf_printf(to,
	           "\treturn 200 ': busy\\nretry: $runstream_busy_retry_ms\\nevent: refused\\n"
	           "data: {\"code\":\"UNAVAILABLE\",\"message\":\"no worker can take the stream now\","
	           "\"retry_after_s\":%" PRId64 "}\\n\\n';\n"
	           "}\n"
	           "\n"
	           "location @runstream_busy {\n"
	           "\ttypes { }\n"
	           "\tdefault_type application/json;\n"
	           "\tadd_header Cache-Control no-store always;\n"
	           "\tadd_header Retry-After %" PRId64 " always;\n",
	           values->refused_retry_s, values->refused_retry_s);
	put_origin_headers(to, values);
	buf_puts(to, "\treturn 503 '{\"error\":{\"code\":\"UNAVAILABLE\","
	             "\"message\":\"no worker can take the request now\",\"details\":{}}}\\n';\n"
	             "}\n");
}

static void
put_streams(struct buf *to, const struct nginx_values *values)
{
	buf_puts(to, "# Streams alone; whatever else is under the prefix stays with others. A location\n"
	             "# \"^~\" over these paths would win against this one.\n"
	             "location ~ \"^");
	put_regex_escaped(to, values->prefix);
	buf_puts(to, "/(?:");
	for (size_t i = 0; i < sizeof(stream_paths) / sizeof(stream_paths[0]); i++) {
		buf_puts(to, i > 0 ? "|" : "");
		buf_puts(to, stream_paths[i]);
	}
	buf_puts(to, ")$\" {\n\tfastcgi_pass runstream;\n");
	buf_puts(to, fastcgi_settings);
	buf_puts(to, fastcgi_params);
	buf_puts(to, "}\n");
}

static void
put_metrics(struct buf *to)
{
	buf_puts(to, "\n"
	             "# Figures for Prometheus, for this machine alone. To open them to another, name it above\n"
	             "# \"deny all\": allow 192.0.2.7; a server that has a /metrics of its own leaves this out.\n"
	             "location = /metrics {\n"
	             "\tallow 127.0.0.1;\n"
	             "\tallow ::1;\n"
	             "\tdeny all;\n"
	             "\tfastcgi_pass runstream;\n"
	             "\tfastcgi_read_timeout 5s;\n"
	             "\tfastcgi_connect_timeout 5s;\n"
	             "\tfastcgi_cache off;\n"
	             "\tfastcgi_intercept_errors off;\n"
	             "\texpires off;                        # Cache-Control is the worker's\n"
	             "\terror_page 502 504 = @runstream_busy;\n");
	buf_puts(to, fastcgi_params);
	buf_puts(to, "}\n");
}

static void
put_all(struct buf *to, const struct nginx_values *values)
{
	buf_printf(to, "location ^~ \"%s/\" {\n\tfastcgi_pass runstream;\n", values->prefix);
	buf_puts(to, fastcgi_settings);
	buf_printf(to, "\tclient_max_body_size %" PRId64 "k;         # the worker's own limit is lower, and its 413 is JSON\n",
	           values->max_body_bytes * BODY_FACTOR / 1024);
	buf_puts(to, "\tclient_body_buffer_size 128k;       # what is longer goes through a file\n");
	buf_puts(to, fastcgi_params);
	buf_printf(to,
	           "\n"
	           "\t# Recording, from this machine alone; recording.allow_from must name it as well.\n"
	           "\tlimit_except GET HEAD OPTIONS {\n"
	           "\t\tallow 127.0.0.1;\n"
	           "\t\tallow ::1;\n"
	           "\t\tdeny all;\n"
	           "\t}\n"
	           "\n"
	           "\t# \"Not ready\" is a 503 that says why: it is passed on as it is.\n"
	           "\tlocation = \"%s/v1/ready\" {\n"
	           "\t\tfastcgi_pass runstream;\n"
	           "\t\tfastcgi_intercept_errors off;\n"
	           "\t\terror_page 502 504 = @runstream_busy;\n"
	           "\t}\n"
	           "}\n",
	           values->prefix);
	put_metrics(to);
}

void
nginx_put_locations(struct buf *to, const struct nginx_values *values)
{
	buf_printf(to, "# runstream, for server{}: made by \"runstreamctl nginx-config locations%s\".\n",
	           values->mode == NGINX_STREAMS ? " --mode streams" : "");
	switch (values->mode) {
	case NGINX_STREAMS:
		put_streams(to, values);
		break;
	case NGINX_ALL:
		put_all(to, values);
		break;
	}
	put_busy(to, values);
}
