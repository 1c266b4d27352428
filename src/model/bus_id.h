/*
 * The id of a message bus: 128 bits of XXH3 over "<project>/<task>", in hexadecimal. The names
 * themselves may be longer together than an id may be. A project's own bus has the task "".
 *
 * The hash is no secret, so names could be made that share an id: who finds a bus by its id
 * compares the names as well.
 */
#ifndef MODEL_BUS_ID_H
#define MODEL_BUS_ID_H

enum { BUS_ID_BYTES = 32 };

/* project, task: at most RUN_ID_BYTES each. */
void bus_id_make(const char *project, const char *task, char ret_id[static BUS_ID_BYTES + 1]);

#endif
