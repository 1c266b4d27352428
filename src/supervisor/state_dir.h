/*
 * The state directory: what outlives the processes of an instance (store/trail_dir.h). The workers and
 * discovery write to it, so it is theirs.
 */
#ifndef SUPERVISOR_STATE_DIR_H
#define SUPERVISOR_STATE_DIR_H

#include "base/buf.h"
#include "conf/settings.h"
#include "supervisor/privileges.h"

#define STATE_DIR_NAME "state" /* in the runtime directory, unless server.state_dir is set */

/*
 * Makes the directory (0700) unless it is there, and opens it: O_RDONLY, CLOEXEC, returns owned. One
 * that is there must be theirs, or ours, and is then given to them; no symbolic link. 0, or -errno and
 * a sentence.
 */
int state_dir_open(const struct settings *settings, const struct privileges *privileges, int *ret_fd,
                   struct buf *sentence);

#endif
