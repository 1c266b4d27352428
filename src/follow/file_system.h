/* What may be asked of a file system without waiting for anybody else. */
#ifndef FOLLOW_FILE_SYSTEM_H
#define FOLLOW_FILE_SYSTEM_H

enum file_system {
	FILE_SYSTEM_MEMORY,  /* tmpfs, ramfs: reading never waits */
	FILE_SYSTEM_LOCAL,   /* a disk: metadata of an open file is at hand, data may not be */
	FILE_SYSTEM_REMOTE,  /* NFS, CIFS, FUSE, 9p, …: anything may hang, inotify sees nothing */
};

/* By statfs(2)'s magic number; unknown ones are taken for local. */
enum file_system file_system_of(int fd);

#endif
