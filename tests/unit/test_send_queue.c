#include "worker/send_queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static int ends[2];
static struct send_queue queue;
static uint8_t *received;
static size_t received_length;
static struct send_queue_sent sent;

enum { ROOM = 2 * 1024 * 1024 };

static void
set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	memset(&queue, 0, sizeof(queue));
	queue.request_id = 0x1234;
	received = malloc(ROOM);
	received_length = 0;
	sent = (struct send_queue_sent){ .events = 0 };
}

static void
tear_down(void)
{
	send_queue_fini(&queue);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	free(received);
}

static struct block *
block_of(size_t length, char letter)
{
	char *text = malloc(length);
	struct block *block;

	memset(text, letter, length);
	block = block_new(text, length);
	block->events = 1;
	free(text);
	return block;
}

/* Reads a little, so that the writer meets a full socket at all places. */
static void
receive(size_t most)
{
	ssize_t n = recv(ends[1], received + received_length, most, 0);

	if (n > 0)
		received_length += (size_t)n;
}

static void
send_all(size_t step)
{
	while (!send_queue_is_empty(&queue)) {
		ck_assert_int_ge(send_queue_send(&queue, ends[0], &sent), 0);
		receive(step);
	}
	for (size_t before = SIZE_MAX; before != received_length;) {
		before = received_length;
		receive(ROOM - received_length);
	}
}

/* Takes the records apart; returns the length of all STDOUT. */
static size_t
unwrap(uint8_t *text)
{
	size_t at = 0, length = 0;
	bool ended = false;

	while (at < received_length) {
		const uint8_t *header = received + at;
		size_t content = (size_t)header[4] << 8 | header[5];

		ck_assert(!ended);
		ck_assert_int_eq(header[0], FCGI_VERSION_1);
		ck_assert_int_eq(header[2] << 8 | header[3], 0x1234);
		at += FCGI_HEADER_LEN;
		if (header[1] == FCGI_STDOUT) {
			memcpy(text + length, received + at, content);
			length += content;
		} else {
			ck_assert_int_eq(header[1], FCGI_END_REQUEST);
			ck_assert_uint_eq(content, 8);
			ended = true;
		}
		at += content + header[6];
	}
	ck_assert(ended);
	ck_assert_uint_eq(at, received_length);
	return length;
}

START_TEST(blocks_of_any_length_arrive_whole_through_a_narrow_socket)
{
	static const size_t lengths[] = { 1, 65535, 65536, 200000, 7, 131070 };
	uint8_t *text = malloc(ROOM);
	int size = 4608;

	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (size_t step = 1500; step < 20000; step = step * 3 + 1) {
		size_t sum = 0, at = 0;

		received_length = 0;
		sent = (struct send_queue_sent){ .events = 0 };
		queue.is_for_slow = !queue.is_for_slow;
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			send_queue_add(&queue, block_of(lengths[i], (char)('a' + i)));
			sum += lengths[i];
		}
		send_queue_finish(&queue);
		send_all(step);
		ck_assert_uint_eq(unwrap(text), sum);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			for (size_t j = 0; j < lengths[i]; j++)
				ck_assert_int_eq(text[at++], (int)('a' + i));
		ck_assert_uint_eq(sent.events, sizeof(lengths) / sizeof(lengths[0]));
		ck_assert_uint_eq(queue.queued_bytes, 0);
	}
	free(text);
}
END_TEST

START_TEST(a_full_socket_is_said_and_nothing_is_lost)
{
	while (!queue.is_full) {
		if (send_queue_has_room(&queue))
			send_queue_add(&queue, block_of(30000, 'x'));
		ck_assert_int_ge(send_queue_send(&queue, ends[0], &sent), 0);
	}
	ck_assert(!send_queue_is_empty(&queue));
	ck_assert_uint_le(queue.queued_bytes, SEND_QUEUE_ENOUGH_BYTES + 30000);
}
END_TEST

START_TEST(to_a_slow_peer_goes_a_small_piece_at_a_time)
{
	int64_t n;

	queue.is_for_slow = true;
	send_queue_add(&queue, block_of(60000, 'x'));
	n = send_queue_send(&queue, ends[0], &sent);
	ck_assert_int_gt(n, SEND_QUEUE_PIECE_BYTES / 2);
	ck_assert_int_le(n, SEND_QUEUE_PIECE_BYTES + FCGI_HEADER_LEN);
	ck_assert(!queue.is_full);
}
END_TEST

START_TEST(a_block_to_be_measured_is_told_once_when_it_was_sent_whole)
{
	struct block *block = block_of(300000, 'x'), *shared = block_ref(block);

	block->appended_us = 77;
	send_queue_add(&queue, block);
	while (!queue.is_full)
		ck_assert_int_ge(send_queue_send(&queue, ends[0], &sent), 0);
	ck_assert_int_eq(sent.appended_us, 0);
	send_all(100000);
	ck_assert_int_eq(sent.appended_us, 77);
	sent.appended_us = 0;
	send_queue_add(&queue, shared);
	send_all(100000);
	ck_assert_int_eq(sent.appended_us, 0);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_said)
{
	fd_close(&ends[1]);
	send_queue_add(&queue, block_of(10, 'x'));
	ck_assert_int_lt(send_queue_send(&queue, ends[0], &sent), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("send_queue");
	TCase *tc = tcase_create("send_queue");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, to_a_slow_peer_goes_a_small_piece_at_a_time);
	tcase_add_test(tc, blocks_of_any_length_arrive_whole_through_a_narrow_socket);
	tcase_add_test(tc, a_full_socket_is_said_and_nothing_is_lost);
	tcase_add_test(tc, a_block_to_be_measured_is_told_once_when_it_was_sent_whole);
	tcase_add_test(tc, a_peer_that_is_gone_is_said);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
