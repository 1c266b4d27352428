#include "base/fd.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int
file_of(const char *bytes, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, bytes, length), 0);
	ck_assert_int_eq((int)lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(closing_keeps_errno_and_forgets_the_descriptor)
{
	int fd = file_of("", 0), kept = fd;

	errno = ERANGE;
	fd_close(&fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(fcntl(kept, F_GETFD), -1);
	fd_close(&fd); /* again does nothing */
}
END_TEST

START_TEST(reads_a_file_of_any_size_up_to_the_limit)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 8193, 100000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], length = 77;
		char *bytes = calloc(1, size + 1), *text = NULL;
		int fd;

		memset(bytes, 'x', size);
		fd = file_of(bytes, size);
		ck_assert_int_eq(fd_read_all(fd, size, &text, &length), 0);
		ck_assert_uint_eq(length, size);
		ck_assert_str_eq(text, bytes);
		free(text);
		if (size > 0) {
			text = NULL;
			ck_assert_int_eq((int)lseek(fd, 0, SEEK_SET), 0);
			ck_assert_int_eq(fd_read_all(fd, size - 1, &text, NULL), -EFBIG);
			ck_assert_ptr_null(text);
		}
		fd_close(&fd);
		free(bytes);
	}
}
END_TEST

START_TEST(reading_reports_the_error)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_read_all(fd, 10, &text, NULL), -EISDIR);
	ck_assert_ptr_null(text);
	fd_close(&fd);
	ck_assert_int_eq(fd_read_all(-1, 10, &text, NULL), -EBADF);
	ck_assert_int_eq(fd_write_all(-1, "x", 1), -EBADF);
	ck_assert_int_eq(fd_set_nonblocking(-1), -EBADF);
}
END_TEST

START_TEST(nonblocking_is_set)
{
	int pair[2];
	char byte;

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert_int_eq(fd_set_nonblocking(pair[0]), 0);
	ck_assert_int_eq((int)read(pair[0], &byte, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}
END_TEST

START_TEST(passes_a_message_with_its_descriptors_in_order)
{
	int pair[2], sent[3], received[4] = { -1, -1, -1, -1 };
	char bytes[16] = "";
	size_t count = 99;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	sent[0] = file_of("zero", 4);
	sent[1] = file_of("one", 3);
	sent[2] = file_of("two", 3);
	ck_assert_int_eq(fd_send(pair[0], "hello", 5, sent, 3), 0);
	ck_assert_int_eq((int)fd_receive(pair[1], bytes, sizeof(bytes), received, 4, &count), 5);
	ck_assert_str_eq(bytes, "hello");
	ck_assert_uint_eq(count, 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const contents[] = { "zero", "one", "two" };
		char *text = NULL;

		ck_assert_int_ne(fcntl(received[i], F_GETFD) & FD_CLOEXEC, 0);
		ck_assert_int_eq(fd_read_all(received[i], 100, &text, NULL), 0);
		ck_assert_str_eq(text, contents[i]);
		free(text);
		fd_close(&received[i]);
		fd_close(&sent[i]);
	}
	fd_close(&pair[0]);
	ck_assert_int_eq((int)fd_receive(pair[1], bytes, sizeof(bytes), received, 4, &count), 0);
	ck_assert_uint_eq(count, 0);
	fd_close(&pair[1]);
}
END_TEST

/* The next descriptor there would be: grows when one leaks. */
static int
next_descriptor(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

START_TEST(surplus_descriptors_and_those_of_a_cut_message_are_closed)
{
	int pair[2], sent[5], received[2] = { -1, -1 }, before;
	char bytes[4];
	size_t count = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (size_t i = 0; i < 5; i++)
		sent[i] = file_of("x", 1);
	before = next_descriptor();
	ck_assert_int_eq(fd_send(pair[0], "four", 4, sent, 5), 0);
	ck_assert_int_eq((int)fd_receive(pair[1], bytes, 4, received, 2, &count), 4);
	ck_assert_uint_eq(count, 2);
	fd_close(&received[0]);
	fd_close(&received[1]);
	ck_assert_int_eq(next_descriptor(), before);

	ck_assert_int_eq(fd_send(pair[0], "fives", 5, sent, 5), 0);
	ck_assert_int_eq((int)fd_receive(pair[1], bytes, 4, received, 2, &count), -EMSGSIZE);
	ck_assert_int_eq(next_descriptor(), before);
	for (size_t i = 0; i < 5; i++)
		fd_close(&sent[i]);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}
END_TEST

START_TEST(sending_to_a_closed_or_full_peer_is_an_error_and_no_signal)
{
	int pair[2], error = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fd_set_nonblocking(pair[0]), 0);
	for (int i = 0; i < 100000 && error == 0; i++)
		error = fd_send(pair[0], "x", 1, NULL, 0);
	ck_assert_int_eq(error, -EAGAIN);
	fd_close(&pair[1]);
	/* The first error may tell of what was left unread. */
	error = fd_send(pair[0], "x", 1, NULL, 0);
	ck_assert(error == -ECONNRESET || error == -EPIPE);
	ck_assert_int_eq(fd_send(pair[0], "x", 1, NULL, 0), -EPIPE);
	fd_close(&pair[0]);
}
END_TEST

struct long_message {
	int socket, error;
};

static void *
send_long_message(void *arg)
{
	static char bytes[4 << 20];
	struct long_message *m = arg;

	m->error = fd_send(m->socket, bytes, sizeof(bytes), NULL, 0);
	return NULL;
}

START_TEST(a_peer_that_leaves_in_the_middle_of_a_message_is_no_signal)
{
	struct long_message m = { .error = 1 };
	pthread_t sender;
	int pair[2];
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	m.socket = pair[0];
	ck_assert_int_eq(pthread_create(&sender, NULL, send_long_message, &m), 0);
	ck_assert_int_eq((int)read(pair[1], &byte, 1), 1);
	fd_close(&pair[1]);
	pthread_join(sender, NULL);
	ck_assert(m.error == -EPIPE || m.error == -ECONNRESET);
	fd_close(&pair[0]);
}
END_TEST

START_TEST(closed_standard_descriptors_are_filled_with_what_is_of_no_use)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		char byte = 'x';

		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		if (fd_open_standard() < 0)
			_exit(1);
		if (read(STDIN_FILENO, &byte, 1) != -1 || errno != EBADF)
			_exit(2);
		if (write(STDOUT_FILENO, &byte, 1) != -1 || errno != EBADF)
			_exit(3);
		/* The next one is nobody's stdin. */
		_exit(open("/dev/null", O_RDONLY | O_CLOEXEC) > STDERR_FILENO ? 0 : 4);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fd");
	TCase *tc = tcase_create("fd");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, closing_keeps_errno_and_forgets_the_descriptor);
	tcase_add_test(tc, reads_a_file_of_any_size_up_to_the_limit);
	tcase_add_test(tc, reading_reports_the_error);
	tcase_add_test(tc, nonblocking_is_set);
	tcase_add_test(tc, passes_a_message_with_its_descriptors_in_order);
	tcase_add_test(tc, surplus_descriptors_and_those_of_a_cut_message_are_closed);
	tcase_add_test(tc, sending_to_a_closed_or_full_peer_is_an_error_and_no_signal);
	tcase_add_test(tc, a_peer_that_leaves_in_the_middle_of_a_message_is_no_signal);
	tcase_add_test(tc, closed_standard_descriptors_are_filled_with_what_is_of_no_use);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
