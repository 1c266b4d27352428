/*
 * Which system calls a process may still make: seccomp(2), through libseccomp, and its only user.
 *
 * What is not in a list is refused, not punished: the call fails with ENOSYS (which is what the C
 * library falls back from when it tries something newer), and a line in the log says once which
 * call it was. A service goes on so when a library was updated below it, and who breaks in gets as
 * little. Where we cannot write a call's result (see syscall_filter.c) the process ends, after that
 * line.
 */
#ifndef BASE_SYSCALL_FILTER_H
#define BASE_SYSCALL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct syscall_filter {
	/* Names of calls; each list ends with NULL, and so does the list of them. Those that this
	 * machine does not have are passed over. Some are allowed in part only, see below. */
	const char *const *const *lists;
	/* openat(2) for reading alone, and no openat2(2), whose flags a filter cannot see. */
	bool opens_for_reading;
	/* But openat(2) at this descriptor of a directory may be for writing, and unlinkat(2) there, if
	 * it is in a list; -1: none. */
	int writable_dir_fd;
	/* Processes may be started, which it signals, and which enter filters of their own. */
	bool has_children;
};

/*
 * For this process, its threads, and for good; a further filter can only take more away. Needs
 * PR_SET_NO_NEW_PRIVS, and one thread. Sets the handler of SIGSYS, which must not be blocked.
 *
 * In part only, unless it has children: clone (threads), tgkill (this process), prctl (names). For all:
 * mmap and mprotect (nothing that can be executed), ioctl (what a socket has yet to send), unlinkat
 * unless there is no writable_dir_fd. 0, or -errno; -ENOSYS where the kernel has none.
 */
int syscall_filter_apply(const struct syscall_filter *filter);

#endif
