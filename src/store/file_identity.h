/*
 * What tells a file from others that bear, or will bear, its name: a hash of its inode number and of
 * the time when it was made, since numbers of inodes are used again. Ids of streams have it
 * (model/cursor.h), and what is noted of the end of a run.
 */
#ifndef STORE_FILE_IDENTITY_H
#define STORE_FILE_IDENTITY_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

/* What statx(2) is to be asked for. */
#define FILE_IDENTITY_MASK (STATX_INO | STATX_BTIME)

/* Never 0. Where the file system does not tell when files were made, of the inode number alone. */
uint32_t file_identity(const struct statx *statx);

#endif
