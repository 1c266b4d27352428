#include "base/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Of kernels that are newer than the headers may be. */
#define REFER (1ULL << 13)         /* version 2 */
#define TRUNCATE (1ULL << 14)      /* version 3 */
#define BIND_TCP (1ULL << 0)       /* version 4 */
#define CONNECT_TCP (1ULL << 1)    /* version 4 */
#define SCOPE_ABSTRACT (1ULL << 0) /* version 6 */
#define SCOPE_SIGNAL (1ULL << 1)   /* version 6 */

/* As long as the kernel's of version 6; an older one takes what it knows. */
struct ruleset {
	uint64_t files, network, scopes;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What recording does: append to files, make them and folders, put one file in another's place. */
#define RECORD                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |                             \
	 LANDLOCK_ACCESS_FS_MAKE_REG | TRUNCATE)
#define NEVER                                                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | REFER)

/* 0 or -errno, with what this version can be asked for. */
static int
choose(const struct landlock *landlock, struct ruleset *ret_ruleset, size_t *ret_bytes)
{
	struct ruleset ruleset = { .files = RECORD | NEVER };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return -ENOSYS;
	if (!landlock->reads_all)
		ruleset.files |= READ;
	if (version < 2)
		ruleset.files &= ~REFER;
	if (version < 3)
		ruleset.files &= ~TRUNCATE;
	if (version >= 4)
		ruleset.network = BIND_TCP | CONNECT_TCP;
	if (version >= 6)
		ruleset.scopes = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	*ret_ruleset = ruleset;
	*ret_bytes = version >= 6 ? sizeof(ruleset) : version >= 4 ? 2 * sizeof(uint64_t)
	                                                           : sizeof(uint64_t);
	return 0;
}

static int
allow_beneath(int ruleset_fd, int folder_fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = folder_fd };

	if (access == 0)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
	               ? -errno
	               : 0;
}

int
landlock_apply(const struct landlock *landlock)
{
	struct ruleset ruleset;
	size_t bytes;
	int error = choose(landlock, &ruleset, &bytes), fd;
	uint64_t allowed;

	if (error)
		return error;
	allowed = ruleset.files & ((landlock->reads_all ? 0 : READ) | (landlock->writes ? RECORD : 0));
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, bytes, 0);
	if (fd < 0)
		return -errno;
	for (int i = 0; !error && i < LANDLOCK_FOLDERS_MAX; i++)
		if (landlock->folders[i] >= 0)
			error = allow_beneath(fd, landlock->folders[i], allowed);
	if (!error && landlock->writable_folder >= 0)
		error = allow_beneath(fd, landlock->writable_folder,
		                      ruleset.files & ((landlock->reads_all ? 0 : READ) | RECORD));
	if (!error && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		error = -errno;
	fd_close(&fd);
	return error;
}
