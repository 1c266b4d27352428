#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/must.h"

int
segment_create(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		int error = -errno;

		fd_close(&fd);
		return error;
	}
	return fd;
}

int
segment_reserve(int fd, uint64_t offset, uint64_t bytes)
{
	while (fallocate(fd, 0, (off_t)offset, (off_t)bytes) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int
segment_begin(int fd, const char magic[static SEGMENT_MAGIC_BYTES], uint32_t version,
              void *header, size_t header_bytes)
{
	struct segment_prefix prefix = { .version = version };
	ssize_t n;
	int error;

	must(header_bytes >= sizeof(prefix));
	memcpy(prefix.magic, magic, sizeof(prefix.magic));
	memcpy(header, &prefix, sizeof(prefix));
	error = segment_reserve(fd, 0, header_bytes);
	if (error)
		return error;
	do
		n = pwrite(fd, header, header_bytes, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == header_bytes ? 0 : -EIO;
}

int
segment_map(int fd, bool writable, const char magic[static SEGMENT_MAGIC_BYTES],
            uint32_t version, size_t at_least_bytes, void **ret_memory, size_t *ret_bytes)
{
	const struct segment_prefix *prefix;
	struct stat st;
	void *memory;
	int seals, error;

	must(at_least_bytes >= sizeof(*prefix));
	if (fstat(fd, &st) < 0)
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size < (off_t)at_least_bytes)
		return -EPROTO;
	memory = mmap(NULL, (size_t)st.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
	              MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	prefix = memory;
	if (memcmp(prefix->magic, magic, SEGMENT_MAGIC_BYTES) != 0)
		error = -EPROTO;
	else if (prefix->version != version)
		error = -EPROTONOSUPPORT;
	else
		error = 0;
	if (error) {
		munmap(memory, (size_t)st.st_size);
		return error;
	}
	*ret_memory = memory;
	*ret_bytes = (size_t)st.st_size;
	return 0;
}
