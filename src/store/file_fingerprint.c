#include "store/file_fingerprint.h"

#include <errno.h>
#include <unistd.h>

#include "model/fingerprint.h"

/* -ENODATA: it does not reach so far. */
static int
read_at(int fd, uint64_t offset, uint8_t *to, size_t length)
{
	while (length > 0) {
		ssize_t n = pread(fd, to, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

int
file_fingerprint(int fd, uint64_t offset, uint64_t *ret_fingerprint)
{
	uint8_t head[FINGERPRINT_HEAD_BYTES], window[FINGERPRINT_WINDOW_BYTES];
	uint64_t start = fingerprint_window_start(offset), head_hash = 0;
	struct fingerprint_pass pass;
	int error = 0;

	if (fingerprint_needs_head(offset)) {
		error = read_at(fd, 0, head, sizeof(head));
		if (error)
			return error;
		head_hash = fingerprint_head(head);
	}
	error = read_at(fd, start, window, (size_t)(offset - start));
	if (error)
		return error;
	fingerprint_begin(&pass, window, start, head_hash);
	*ret_fingerprint = fingerprint_at(&pass, offset);
	return 0;
}
