#include "config.h"

#include "admin/http_get.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A peer that is gone without a word is noticed by TCP: a stream may be silent for long. */
enum { CONNECT_TIMEOUT_S = 15, KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 10, MOST_REDIRECTIONS = 10,
       RECEIVE_BYTES = 128 * 1024 };

struct http_get {
	struct loop *loop;
	const struct http_get_handler *handler;
	void *arg;
	CURLM *multi;
	CURL *easy; /* NULL: none goes on */
	struct curl_slist *headers;
	struct loop_timer timer;
	char problem[CURL_ERROR_SIZE];
};

/* A socket of libcurl's, in the loop. */
struct watch {
	struct loop_fd fd;
	struct http_get *get;
};

static void
fill_answer(CURL *easy, struct http_answer *answer)
{
	curl_off_t retry_after_s = 0;
	const char *type = NULL;

	*answer = (struct http_answer){ .content_type = "" };
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
	if (curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
		answer->content_type = type;
	if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s) == CURLE_OK)
		answer->retry_after_s = retry_after_s;
}

static void
end_request(struct http_get *get)
{
	if (get->easy) {
		curl_multi_remove_handle(get->multi, get->easy);
		curl_easy_cleanup(get->easy);
		get->easy = NULL;
	}
	curl_slist_free_all(get->headers);
	get->headers = NULL;
}

/* Has libcurl work, and takes what is done. */
static void
work(struct http_get *get, curl_socket_t socket, int events)
{
	struct http_answer answer;
	char problem[CURL_ERROR_SIZE], *type;
	CURLMsg *message;
	int running, left;

	curl_multi_socket_action(get->multi, socket, events, &running);
	while ((message = curl_multi_info_read(get->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		fill_answer(get->easy, &answer);
		type = strdup(answer.content_type);
		answer.content_type = type ? type : "";
		/* Its own words, if it has any, name the host. */
		snprintf(problem, sizeof(problem), "%s",
		         *get->problem ? get->problem : curl_easy_strerror(code));
		end_request(get);
		get->handler->end(get->arg, &answer, code == CURLE_OK ? NULL : problem);
		free(type);
	}
}

/* --- libcurl's sockets and time, in the loop --------------------------------------------------- */

static void
ready(void *arg, uint32_t events)
{
	struct watch *watch = arg;
	int mask = 0;

	if (events & (EPOLLIN | EPOLLRDHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	work(watch->get, watch->fd.fd, mask); /* frees the watch, maybe */
}

static int
socket_changed(CURL *easy, curl_socket_t socket, int what, void *arg, void *of_socket)
{
	struct http_get *get = arg;
	struct watch *watch = of_socket;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			loop_fd_remove(get->loop, &watch->fd);
		free(watch);
		curl_multi_assign(get->multi, socket, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (watch)
		return loop_fd_change(get->loop, &watch->fd, events) == 0 ? 0 : -1;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -1;
	watch->get = get;
	if (loop_fd_add(get->loop, &watch->fd, socket, events, ready, watch) < 0) {
		free(watch);
		return -1;
	}
	curl_multi_assign(get->multi, socket, watch);
	return 0;
}

static void
time_passed(void *arg)
{
	work(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
timer_changed(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_get *get = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_stop(get->loop, &get->timer);
	else
		loop_timer_set(get->loop, &get->timer, timeout_ms, time_passed, get);
	return 0;
}

/* --- requests -------------------------------------------------------------------------------------- */

static size_t
received(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_get *get = arg;
	struct http_answer answer;

	fill_answer(get->easy, &answer);
	return get->handler->bytes(get->arg, &answer, bytes, size * count) ? size * count
	                                                                   : CURL_WRITEFUNC_ERROR;
}

int
http_get_start(struct http_get *get, const char *url, const char *const *headers)
{
	CURL *easy = curl_easy_init();
	CURLcode code = easy ? CURLE_OK : CURLE_OUT_OF_MEMORY;

	get->easy = easy;
	get->problem[0] = '\0';
	for (; code == CURLE_OK && *headers; headers++) {
		struct curl_slist *longer = curl_slist_append(get->headers, *headers);

		if (!longer)
			code = CURLE_OUT_OF_MEMORY;
		else
			get->headers = longer;
	}
#define SET(option, value) \
	if (code == CURLE_OK) \
		code = curl_easy_setopt(easy, option, value)
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, (long)MOST_REDIRECTIONS);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	SET(CURLOPT_USERAGENT, "runstreamctl/" PACKAGE_VERSION);
	SET(CURLOPT_HTTPHEADER, get->headers);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
	SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
	SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	SET(CURLOPT_ERRORBUFFER, get->problem);
	SET(CURLOPT_WRITEFUNCTION, received);
	SET(CURLOPT_WRITEDATA, get);
#undef SET
	if (code == CURLE_OK && curl_multi_add_handle(get->multi, easy) != CURLM_OK)
		code = CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK) {
		curl_easy_cleanup(easy);
		get->easy = NULL;
		end_request(get);
		return -ENOMEM;
	}
	return 0;
}

int
http_get_new(struct loop *loop, const struct http_get_handler *handler, void *arg,
             struct http_get **ret_get)
{
	struct http_get *get = calloc(1, sizeof(*get));

	if (!get)
		return -ENOMEM;
	*get = (struct http_get){ .loop = loop, .handler = handler, .arg = arg };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(get);
		return -ENOMEM;
	}
	get->multi = curl_multi_init();
	if (!get->multi || curl_multi_setopt(get->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) ||
	    curl_multi_setopt(get->multi, CURLMOPT_SOCKETDATA, get) ||
	    curl_multi_setopt(get->multi, CURLMOPT_TIMERFUNCTION, timer_changed) ||
	    curl_multi_setopt(get->multi, CURLMOPT_TIMERDATA, get)) {
		http_get_free(&get);
		return -ENOMEM;
	}
	*ret_get = get;
	return 0;
}

void
http_get_free(struct http_get **get)
{
	struct http_get *g = *get;

	if (!g)
		return;
	end_request(g);
	if (g->multi)
		curl_multi_cleanup(g->multi);
	loop_timer_stop(g->loop, &g->timer);
	curl_global_cleanup();
	free(g);
	*get = NULL;
}
