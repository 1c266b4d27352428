/*
 * The faults that a process under test shall have, in a file that is mapped by whoever makes them
 * (faults.py) and by the processes themselves, named by FAULT_RULES in their environment. A rule
 * holds from the moment at which its `call` is set until it is 0 again. Words of 8 bytes, so that
 * Python writes it without knowing our alignment.
 */
#ifndef FAULT_RULES_H
#define FAULT_RULES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RULES = 32, RULE_PATTERN_BYTES = 192 };

/* In the order of CALLS in faults.py. */
enum fault_call {
	CALL_NONE,
	CALL_OPEN,   /* open, openat, openat2 */
	CALL_READ,   /* read, pread, preadv2 */
	CALL_WRITE,  /* write, pwrite, writev */
	CALL_SEND,   /* send, sendmsg */
	CALL_STAT,   /* stat, fstat, fstatat, statx */
	CALL_ACCEPT,
	CALL_FORK,
	CALL_MMAP,
	CALL_ALLOCATE, /* of files: fallocate, ftruncate */
	CALL_WATCH,    /* inotify_add_watch */
	CALL_INOTIFY,  /* inotify_init1 */
	CALL_EPOLL,    /* epoll_ctl */
	CALL_SYNC,     /* fsync, fdatasync */
	CALL_RENAME,   /* rename, renameat */
	CALL_LIST,     /* readdir */
	CALL_MEMORY,   /* malloc, calloc, realloc */
	CALL_CLOCK,    /* clock_gettime(CLOCK_REALTIME): is off by `value` ms */
	CALL_MAKE,     /* mkdirat */
	CALL_SOCKET,   /* socket, socketpair, pipe2, eventfd, timerfd: what else makes descriptors */
	CALL_THREAD,   /* pthread_create */
	CALL_KIND,     /* fstatfs: the file system's f_type is `value` */
};

enum fault_effect {
	EFFECT_FAIL,  /* with errno `value` */
	EFFECT_HANG,  /* until the rule is taken away */
	EFFECT_DELAY, /* by `value` ms */
	EFFECT_SHORT, /* of reads and writes: at most `value` bytes */
};

struct fault_rule {
	uint64_t call;
	uint64_t effect;
	int64_t value;
	int64_t left;        /* so many times more; negative: for ever */
	uint64_t every;      /* only each nth call; 0, 1: each */
	uint64_t per_mille;  /* at random, so many of a thousand; 1000: each */
	uint64_t pid;        /* of this process only; 0: any */
	uint64_t not_pid;    /* not of this one */
	uint64_t calls;      /* that it was about */
	uint64_t hits;       /* faults that there were */
	uint64_t hanging;    /* calls that hang now */
	/* fnmatch(3) of the path, as far as it is known, or of where the descriptor leads in
	 * /proc/self/fd ("socket:*", "anon_inode:*"); empty: any. */
	char pattern[RULE_PATTERN_BYTES];
};
static_assert(sizeof(struct fault_rule) == 11 * 8 + RULE_PATTERN_BYTES, "faults.py packs it");

/* Whether the call is to have a fault: then errno is set, or the delay is over. fd: of the
 * directory, or the file itself where path is NULL; -1: none. *length, if not NULL, is cut. */
bool fault(enum fault_call call, int fd, const char *path, size_t *length);

/* What the clock is off by. */
int64_t fault_clock_ms(void);

#endif
