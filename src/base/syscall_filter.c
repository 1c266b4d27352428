#include "base/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* More than any machine has; what is beyond is logged by its number. */
enum { CALLS_MOST = 1024 };

/* Looked up before, since the handler must not take memory: the call may have come from malloc(). */
static char *names[CALLS_MOST];
static atomic_bool was_logged[CALLS_MOST];

/* --- calls that are refused --------------------------------------------------------------------- */

/* Whether the result of the call that was caught could be set. */
static bool
set_result(ucontext_t *context, int result)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = result;
	return true;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long long)result;
	return true;
#else
	(void)context;
	(void)result;
	return false;
#endif
}

/* Comes in the thread that made the call, in place of the call, so nothing else is interrupted. */
static void
refuse(int signal_number, siginfo_t *info, void *context)
{
	int number = info->si_syscall, saved = errno;
	bool is_known = number >= 0 && number < CALLS_MOST;

	(void)signal_number;
	if (!is_known || !atomic_exchange(&was_logged[number], true))
		log_warning("call_refused", "call=%s number=%d",
		            is_known && names[number] ? names[number] : "unknown", number);
	errno = saved;
	if (!set_result(context, -ENOSYS))
		_exit(EXIT_FAILURE);
}

static int
catch_refused(void)
{
	struct sigaction action = { .sa_sigaction = refuse, .sa_flags = SA_SIGINFO };

	for (int i = 0; i < CALLS_MOST; i++)
		if (!names[i])
			names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

/* --- what is allowed ------------------------------------------------------------------------------ */

/* Numbers below 0 are libseccomp's for calls that other machines have. */
static int
allow(scmp_filter_ctx context, const char *name, const struct scmp_arg_cmp *condition)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	return seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, condition ? 1 : 0, condition);
}

static int
refuse_with(scmp_filter_ctx context, const char *name, int error,
            const struct scmp_arg_cmp *condition)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	return seccomp_rule_add_array(context, SCMP_ACT_ERRNO((unsigned)error), number,
	                              condition ? 1 : 0, condition);
}

static struct scmp_arg_cmp
has_none_of(unsigned argument, scmp_datum_t bits)
{
	return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bits, 0);
}

/* Of which the upper half is not looked at by the kernel. */
static struct scmp_arg_cmp
is_at(int dir_fd)
{
	return SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)(uint32_t)dir_fd);
}

/* What is allowed in part only; *ret_condition is what of it. */
static bool
is_partial(const struct syscall_filter *filter, const char *name,
           struct scmp_arg_cmp *ret_condition)
{
	if (filter->has_children && (strcmp(name, "clone") == 0 || strcmp(name, "tgkill") == 0 ||
	                             strcmp(name, "prctl") == 0))
		return false;
	if (strcmp(name, "clone") == 0)
		*ret_condition = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	else if (strcmp(name, "mmap") == 0 || strcmp(name, "mmap2") == 0 ||
	         strcmp(name, "mprotect") == 0)
		*ret_condition = has_none_of(2, PROT_EXEC);
	else if (strcmp(name, "tgkill") == 0)
		*ret_condition = SCMP_CMP64(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	else if (strcmp(name, "prctl") == 0)
		*ret_condition = SCMP_CMP64(0, SCMP_CMP_EQ, PR_SET_NAME, 0);
	else if (strcmp(name, "ioctl") == 0)
		*ret_condition = SCMP_CMP64(1, SCMP_CMP_EQ, SIOCOUTQ, 0);
	else if (strcmp(name, "openat") == 0 && filter->opens_for_reading)
		/* The bit of O_TMPFILE that is not O_DIRECTORY's makes a file, too. */
		*ret_condition = has_none_of(2, O_ACCMODE | O_CREAT | O_TRUNC |
		                                        (O_TMPFILE & ~O_DIRECTORY));
	else if (strcmp(name, "unlinkat") == 0 && filter->writable_dir_fd >= 0)
		*ret_condition = is_at(filter->writable_dir_fd);
	else
		return false;
	return true;
}

/* Calls that are made in vain as a matter of course, and have an answer for that: no line in the
 * log. Which threads are made by cannot be seen of clone3(2). */
static int
refuse_silently(scmp_filter_ctx context, const struct syscall_filter *filter)
{
	struct scmp_arg_cmp vma = SCMP_CMP64(0, SCMP_CMP_EQ, PR_SET_VMA, 0);
	int error = refuse_with(context, "clone3", ENOSYS, NULL);

	if (!error && !filter->has_children)
		error = refuse_with(context, "prctl", EINVAL, &vma);
	if (!error && filter->opens_for_reading)
		error = refuse_with(context, "openat2", ENOSYS, NULL);
	return error;
}

static int
fill(scmp_filter_ctx context, const struct syscall_filter *filter)
{
	int error = refuse_silently(context, filter);

	for (const char *const *const *list = filter->lists; !error && *list; list++)
		for (const char *const *name = *list; !error && *name; name++) {
			struct scmp_arg_cmp condition;

			if (strcmp(*name, "openat2") == 0 && filter->opens_for_reading)
				continue;
			error = allow(context, *name,
			              is_partial(filter, *name, &condition) ? &condition : NULL);
		}
	if (!error && filter->opens_for_reading && filter->writable_dir_fd >= 0) {
		struct scmp_arg_cmp there = is_at(filter->writable_dir_fd);

		error = allow(context, "openat", &there);
	}
	return error;
}

int
syscall_filter_apply(const struct syscall_filter *filter)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
	int error;

	if (!context)
		return -ENOMEM;
	error = catch_refused();
	if (!error)
		error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree, not a list: dozens of calls are in it, and each is looked up for each call. */
	if (!error)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = fill(context, filter);
	if (!error)
		error = seccomp_load(context);
	seccomp_release(context);
	return error == -EINVAL || error == -ECANCELED ? -ENOSYS : error;
}
