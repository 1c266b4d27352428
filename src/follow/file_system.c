#include "follow/file_system.h"

#include <stdint.h>
#include <sys/vfs.h>

#include <linux/magic.h>

/* Not in <linux/magic.h>, or not in each version of it. */
#define MAGIC_CIFS UINT32_C(0xff534d42)
#define MAGIC_SMB2 UINT32_C(0xfe534d42)
#define MAGIC_FUSE UINT32_C(0x65735546)
#define MAGIC_CEPH UINT32_C(0x00c36400)
#define MAGIC_LUSTRE UINT32_C(0x0bd00bd0)
#define MAGIC_GFS2 UINT32_C(0x01161970)
#define MAGIC_OCFS2 UINT32_C(0x7461636f)

enum file_system
file_system_of(int fd)
{
	struct statfs s;

	if (fstatfs(fd, &s) < 0)
		return FILE_SYSTEM_REMOTE;
	switch ((uint32_t)s.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return FILE_SYSTEM_MEMORY;
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case V9FS_MAGIC:
	case AFS_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case MAGIC_CIFS:
	case MAGIC_SMB2:
	case MAGIC_FUSE:
	case MAGIC_CEPH:
	case MAGIC_LUSTRE:
	case MAGIC_GFS2:
	case MAGIC_OCFS2:
		return FILE_SYSTEM_REMOTE;
	default:
		return FILE_SYSTEM_LOCAL;
	}
}
