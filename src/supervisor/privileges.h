/*
 * Whom the children become when the server is started as root, and the group that may connect:
 * names of the configuration, looked up once, before anything is started.
 */
#ifndef SUPERVISOR_PRIVILEGES_H
#define SUPERVISOR_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "conf/settings.h"

enum { PRIVILEGES_GROUPS_MAX = 64 };

struct privileges {
	bool changes_user; /* started as root, and server.user is given */
	uid_t user;
	gid_t group;
	gid_t groups[PRIVILEGES_GROUPS_MAX]; /* the user's, supplementary */
	int group_count;
	gid_t socket_group; /* (gid_t)-1: the process's own */
};

/* 0, or -errno and a sentence when there is no such user or group. */
int privileges_find(const struct settings *settings, struct privileges *ret_privileges,
                    struct buf *sentence);

/* In a child: gives up what it does not need, for good. 0 or -errno; the child must then end. */
int privileges_drop(const struct privileges *privileges);

#endif
