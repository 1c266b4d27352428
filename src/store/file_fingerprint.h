/*
 * The fingerprint of a place in an open file (model/fingerprint.h): by it ids of streams, and what is
 * noted of the end of a run, are known to be of the content that they were made from.
 */
#ifndef STORE_FILE_FINGERPRINT_H
#define STORE_FILE_FINGERPRINT_H

#include <stdint.h>

/*
 * Reads the first KiB, and 4 KiB before the place; may wait for the file system. 0; -ENODATA: the file does
 * not reach so far; other -errno. The offset is above 0.
 */
int file_fingerprint(int fd, uint64_t offset, uint64_t *ret_fingerprint);

#endif
