#include "supervisor/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int
find_user(const char *name, struct privileges *privileges, struct buf *sentence)
{
	struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user) {
		buf_printf(sentence, "server.user: there is no user \"%s\"", name);
		return errno ? -errno : -ENOENT;
	}
	privileges->user = user->pw_uid;
	privileges->group = user->pw_gid;
	privileges->group_count = PRIVILEGES_GROUPS_MAX;
	if (getgrouplist(name, user->pw_gid, privileges->groups, &privileges->group_count) < 0) {
		buf_printf(sentence, "server.user: \"%s\" is in more than %d groups", name,
		           PRIVILEGES_GROUPS_MAX);
		return -E2BIG;
	}
	return 0;
}

int
privileges_find(const struct settings *settings, struct privileges *ret_privileges,
                struct buf *sentence)
{
	struct privileges privileges = { .socket_group = (gid_t)-1 };
	int error;

	if (*settings->server.user) {
		error = find_user(settings->server.user, &privileges, sentence);
		if (error)
			return error;
		privileges.changes_user = geteuid() == 0 && privileges.user != 0;
	}
	if (*settings->server.socket_group) {
		struct group *group;

		errno = 0;
		group = getgrnam(settings->server.socket_group);
		if (!group) {
			buf_printf(sentence, "server.socket_group: there is no group \"%s\"",
			           settings->server.socket_group);
			return errno ? -errno : -ENOENT;
		}
		privileges.socket_group = group->gr_gid;
	}
	*ret_privileges = privileges;
	return 0;
}

int
privileges_drop(const struct privileges *privileges)
{
	if (privileges->changes_user &&
	    (setgroups((size_t)privileges->group_count, privileges->groups) < 0 ||
	     setresgid(privileges->group, privileges->group, privileges->group) < 0 ||
	     setresuid(privileges->user, privileges->user, privileges->user) < 0))
		return -errno;
	/* Nothing that a child might ever execute gives it more than it has. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
