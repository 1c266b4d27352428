/*
 * Where settings come from: the defaults, below a configuration file, below RUNSTREAM_*
 * variables, below flags. Whatever is wrong is said in one sentence that names the place.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stddef.h>

#include "conf/settings.h"

#define CONF_DEFAULT_FILE RUNSTREAM_SYSCONFDIR "/runstream/config.yaml"

enum { CONF_FILE_BYTES = 64 * 1024, CONF_ERROR_BYTES = 768 };

/* An option of the command line that sets a key. */
struct conf_flag {
	const char *name;  /* "--runs-dir": for the message */
	const char *path;  /* "storage.runs_dir" */
	const char *value; /* NULL: not given */
};

/* All borrowed. */
struct conf_sources {
	/* NULL: what RUNSTREAM_CONFIG names, or else CONF_DEFAULT_FILE if there is one. A file that
	 * was named must be there. */
	const char *file;
	char *const *environment; /* as environ(7); NULL: none */
	const struct conf_flag *flags;
	size_t flag_count;
	/* Where relative paths in variables and flags, the file's own too, begin; NULL: the current
	 * directory. A daemon leaves that behind, and still has to read its file anew. */
	const char *directory;
};

/*
 * Puts the settings together, and checks what keys demand of one another, whatever layer they
 * come from: short enough a path for the sockets in runtime_dir, a name of its own for each of a
 * run's files. Directories in variables and flags may be relative; those in the
 * file must be absolute. 0 (the caller frees ret_settings with settings_fini()), or -errno and one
 * sentence in ret_error: "FILE:LINE:COLUMN: …", or beginning with the variable or flag. -EDOM: it
 * is a flag that has no such value.
 */
int conf_load(const struct conf_sources *sources, struct settings *ret_settings,
              char ret_error[static CONF_ERROR_BYTES]);

/* The file that conf_load() would read, or NULL for none (borrowed from sources, or static). */
const char *conf_file(const struct conf_sources *sources);

/*
 * Applies the text of a configuration file to settings, which is undefined, but still to be
 * freed, after an error. name stands for the file in messages. 0, or -errno and a sentence.
 */
int conf_apply_text(struct settings *settings, const char *name, const char *text, size_t length,
                    char ret_error[static CONF_ERROR_BYTES]);

#endif
