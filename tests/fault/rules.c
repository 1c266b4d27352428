/* Which rule is about a call. Nothing here allocates memory, or makes calls that are watched. */
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HANG_STEP_NS = 2000000 };

static struct fault_rule *rules;

static uint64_t
load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

__attribute__((constructor)) static void
map_rules(void)
{
	const char *path = getenv("FAULT_RULES");
	long fd, at;

	if (!path)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	at = syscall(SYS_mmap, NULL, RULES * sizeof(struct fault_rule), PROT_READ | PROT_WRITE,
	             MAP_SHARED, (int)fd, 0L);
	syscall(SYS_close, (int)fd);
	/* errno is what tells: addresses may be negative numbers. */
	if (at != -1)
		rules = (struct fault_rule *)at;
}

static void
sleep_ns(int64_t ns)
{
	struct timespec time = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (syscall(SYS_nanosleep, &time, &time) < 0 && errno == EINTR)
		;
}

/* Where it leads: of a descriptor, of a path, or of a path beneath a descriptor. */
static void
describe(int fd, const char *path, char text[static PATH_BYTES])
{
	char link[64];
	long n = 0;

	if (fd >= 0 && (!path || *path != '/')) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = syscall(SYS_readlinkat, AT_FDCWD, link, text, PATH_BYTES - 1);
		if (n < 0)
			n = 0;
	}
	text[n] = '\0';
	if (path && *path)
		snprintf(text + n, PATH_BYTES - (size_t)n, "%s%s", n > 0 ? "/" : "", path);
}

static bool
is_about(const struct fault_rule *rule, enum fault_call call, int fd, const char *path,
         char text[static PATH_BYTES])
{
	uint64_t pid = (uint64_t)syscall(SYS_getpid);

	if (load(&rule->call) != (uint64_t)call || (rule->pid != 0 && rule->pid != pid) ||
	    rule->not_pid == pid)
		return false;
	if (rule->pattern[0] == '\0')
		return true;
	if (text[0] == '\0')
		describe(fd, path, text);
	return fnmatch(rule->pattern, text, 0) == 0;
}

/* By a generator of our own, since the program may use any other. */
static bool
is_chosen(struct fault_rule *rule)
{
	static uint64_t state;
	uint64_t n = __atomic_add_fetch(&rule->calls, 1, __ATOMIC_RELAXED), x;
	int64_t left;

	if (rule->every > 1 && n % rule->every != 0)
		return false;
	if (rule->per_mille < 1000) {
		x = __atomic_add_fetch(&state, UINT64_C(0x9e3779b97f4a7c15), __ATOMIC_RELAXED);
		x ^= (uint64_t)syscall(SYS_getpid) << 32;
		x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
		if ((x ^ (x >> 31)) % 1000 >= rule->per_mille)
			return false;
	}
	left = __atomic_load_n(&rule->left, __ATOMIC_RELAXED);
	while (left > 0)
		if (__atomic_compare_exchange_n(&rule->left, &left, left - 1, false,
		                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return left < 0;
}

static void
hang(struct fault_rule *rule, enum fault_call call)
{
	__atomic_add_fetch(&rule->hanging, 1, __ATOMIC_ACQ_REL);
	while (load(&rule->call) == (uint64_t)call)
		sleep_ns(HANG_STEP_NS);
	__atomic_sub_fetch(&rule->hanging, 1, __ATOMIC_ACQ_REL);
}

static bool
have_effect(struct fault_rule *rule, enum fault_call call, size_t *length)
{
	__atomic_add_fetch(&rule->hits, 1, __ATOMIC_ACQ_REL);
	switch ((enum fault_effect)rule->effect) {
	case EFFECT_FAIL:
		errno = (int)rule->value;
		return true;
	case EFFECT_HANG:
		hang(rule, call);
		break;
	case EFFECT_DELAY:
		sleep_ns(rule->value * 1000000);
		break;
	case EFFECT_SHORT:
		if (length && *length > (size_t)rule->value)
			*length = (size_t)rule->value;
		break;
	}
	return false;
}

bool
fault(enum fault_call call, int fd, const char *path, size_t *length)
{
	char text[PATH_BYTES];
	int saved = errno;

	if (!rules)
		return false;
	text[0] = '\0';
	for (int i = 0; i < RULES; i++) {
		if (load(&rules[i].call) == CALL_NONE ||
		    !is_about(&rules[i], call, fd, path, text) || !is_chosen(&rules[i]))
			continue;
		if (have_effect(&rules[i], call, length))
			return true;
	}
	errno = saved;
	return false;
}

int64_t
fault_clock_ms(void)
{
	char text[PATH_BYTES];

	text[0] = '\0';
	for (int i = 0; rules && i < RULES; i++)
		if (is_about(&rules[i], CALL_CLOCK, -1, NULL, text)) {
			__atomic_add_fetch(&rules[i].hits, 1, __ATOMIC_ACQ_REL);
			return rules[i].value;
		}
	return 0;
}
