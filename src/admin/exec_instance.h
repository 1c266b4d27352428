/* What exec asks a running instance before it makes a run, if there is one. */
#ifndef ADMIN_EXEC_INSTANCE_H
#define ADMIN_EXEC_INSTANCE_H

#include "conf/settings.h"

/*
 * Where its runs lie, which goes to storage.runs_dir, and whether it has a run of that id (NULL:
 * none was chosen) in another folder. 0, also without an instance: the configuration then says
 * where, and the folder itself whether it is taken; COMMAND_FAILED after a message.
 */
int exec_instance_ask(struct settings *settings, const char *run_id);

#endif
