#include "config.h"

#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/landlock.h"
#include "base/syscall_filter.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(RUNSTREAM_INSTRUMENTED) || defined(__SANITIZE_ADDRESS__) || \
	defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define IS_BUILT false
#else
#define IS_BUILT true
#endif

/* --- what the roles call: what is not here is refused ----------------------------------------------- */

static const char *const everybodys[] = {
	/* memory and threads */
	"brk", "mmap", "mmap2", "munmap", "mremap", "madvise", "mprotect",
	"fallocate", /* of shared memory */
	"clone", "futex",
	"futex_time64", "set_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity",
	"exit", "exit_group", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid",
	/* signals */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sigreturn", "tgkill",
	"restart_syscall", "signalfd4",
	/* time and chance */
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep",
	"clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "getrandom",
	/* the loop, and what is in it */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"ppoll_time64", "eventfd2", "pipe2", "inotify_init1", "inotify_add_watch",
	"inotify_rm_watch",
	/* descriptors */
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "close", "dup", "dup2",
	"dup3", "fcntl", "fcntl64", "lseek", "_llseek",
	/* files, as readers need them */
	"open", "openat", "openat2", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64",
	"newfstatat", "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64",
	"getdents64", "readlink", "readlinkat", "access", "faccessat", "faccessat2", "fadvise64",
	"flock", "getcwd",
	/* the log and the supervisor */
	"sendto", "sendmsg", "recvfrom", "recvmsg", "prctl",
	/* limits */
	"prlimit64", "getrlimit", "ugetrlimit", "getrusage", "sysinfo", "uname",
	NULL,
};

/* Connections come from a socket that is there: none is made, none is connected. */
static const char *const workers[] = {
	"accept4", "getsockopt", "setsockopt", "getsockname", "getpeername", "shutdown",
	"ioctl", /* in part: how much of what was sent has yet to be taken */
	NULL,
};

static const char *const recorders[] = {
	"pwrite64", "pwritev", "ftruncate", "ftruncate64", "fsync", "fdatasync",
	"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
	"fchmod", "umask",
	NULL,
};

/* In the state directory: what is too old, or too much, is taken away. */
static const char *const keepers[] = {
	"ftruncate", "ftruncate64", "unlinkat", "utimensat", "utimensat_time64",
	NULL,
};

/* Besides what its children call, before they enter their own sandbox and in it. */
static const char *const supervisors[] = {
	/* children, and the end of them */
	"kill", "wait4", "waitpid", "socketpair", "pause",
	"close_range", "seccomp", "landlock_create_ruleset", "landlock_add_rule",
	"landlock_restrict_self",
	/* the pid file, and what a reload reads */
	"unlink", "getppid",
	NULL,
};

/* Of root, for children that are not to be. */
static const char *const user_changers[] = {
	"setgroups", "setgroups32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	NULL,
};

bool
sandbox_is_built(void)
{
	return IS_BUILT;
}

/* --- how far reading and writing go ------------------------------------------------------------------- */

static bool
is_root(int fd)
{
	struct stat st, root;

	return fstat(fd, &st) < 0 || stat("/", &root) < 0 ||
	       (st.st_dev == root.st_dev && st.st_ino == root.st_ino);
}

/* Of the folders above a path the lowest that is there, or -1. */
static int
open_above(const char *path)
{
	char above[PATH_MAX];
	int fd = -1;

	snprintf(above, sizeof(above), "%s", path);
	while (fd < 0) {
		size_t length = strlen(above);
		char *slash;

		while (length > 1 && above[length - 1] == '/')
			above[--length] = '\0';
		slash = strrchr(above, '/');
		if (!slash || strcmp(above, "/") == 0)
			return -1;
		slash[slash == above ? 1 : 0] = '\0';
		fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

/* Where the directory is, and, if it is another one, where its path says that it is. */
static int
confine_files(const struct sandbox *sandbox)
{
	int real = -1, named = open_above(sandbox->runs_dir), error;
	struct landlock landlock;

	if (sandbox->runs_dir_fd >= 0)
		real = openat(sandbox->runs_dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	landlock = (struct landlock){
		.folders = { sandbox->runs_dir_fd, -1, -1, -1 },
		.reads_all = (real >= 0 && is_root(real)) || named < 0 || is_root(named),
		.writes = sandbox->records,
		.writable_folder = sandbox->state_dir_fd,
	};
	if (real >= 0 && !is_root(real))
		landlock.folders[1] = real;
	if (named >= 0 && !is_root(named))
		landlock.folders[2] = named;
	error = landlock_apply(&landlock);
	fd_close(&real);
	fd_close(&named);
	return error;
}

int
sandbox_enter(const struct sandbox *sandbox, struct sandbox_state *ret_state)
{
	const char *const *lists[7] = { everybodys };
	struct syscall_filter filter = { .lists = lists, .writable_dir_fd = -1 };
	struct sandbox_state state = { .has_filter = false };
	bool supervises = sandbox->role == SANDBOX_SUPERVISOR;
	bool writes = sandbox->role == SANDBOX_WORKER && sandbox->records;
	size_t count = 1;
	int error = IS_BUILT && !supervises ? confine_files(sandbox) : -ENOSYS;

	if (error && error != -ENOSYS)
		return error;
	state.has_landlock = !error;
	filter.opens_for_reading = !supervises && !writes && !state.has_landlock;
	filter.writable_dir_fd = supervises || writes ? -1 : sandbox->state_dir_fd;
	filter.has_children = supervises;
	if (supervises)
		lists[count++] = supervisors;
	if (supervises && sandbox->changes_user)
		lists[count++] = user_changers;
	if (supervises || sandbox->role == SANDBOX_WORKER)
		lists[count++] = workers;
	if (supervises || (sandbox->role == SANDBOX_DISCOVERY && sandbox->state_dir_fd >= 0))
		lists[count++] = keepers;
	if (supervises || writes)
		lists[count++] = recorders;
	error = IS_BUILT ? syscall_filter_apply(&filter) : -ENOSYS;
	if (error && error != -ENOSYS)
		return error;
	state.has_filter = !error;
	*ret_state = state;
	return 0;
}
