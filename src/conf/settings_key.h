/*
 * The keys of the configuration: one for each member of struct settings (settings.h), with its type, default,
 * range and help, from which the pages are checked; and what a value must be.
 */
#ifndef CONF_SETTINGS_KEY_H
#define CONF_SETTINGS_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum settings_type {
	SETTINGS_NUMBER,  /* int64_t from lowest to highest */
	SETTINGS_BOOLEAN, /* bool; true or false */
	/* char *, at most SETTINGS_TEXT_BYTES and without control characters; what else it must be: */
	SETTINGS_PATH,    /* absolute; or empty, where that is the default */
	SETTINGS_FILE,    /* one name in a folder */
	SETTINGS_PREFIX,  /* the beginning of an URL's path */
	SETTINGS_MODE,    /* octal */
	SETTINGS_ACCOUNT, /* a user or group, or empty */
	SETTINGS_LEVEL,   /* a level of log.h */
	SETTINGS_DURABILITY, /* written or synced */
	/* Lists, with one blank between words; in the file as a list as well: */
	SETTINGS_NETWORKS,
	SETTINGS_ORIGINS,
};

enum { SETTINGS_TEXT_BYTES = 1023, SETTINGS_COUNT = 45, SETTINGS_WORKERS_MOST = 64 };

struct settings_key {
	const char *path; /* "api.sse.poll_interval_ms" */
	const char *help; /* one sentence */
	/* What the pages say of a default that depends on the machine; else NULL. */
	const char *default_words;
	const char *default_text; /* of text */
	int64_t default_number;   /* of numbers and booleans */
	int64_t lowest, highest;  /* of numbers */
	size_t offset;            /* of the member in struct settings */
	enum settings_type type;
	bool needs_restart;       /* a reload does not change it */
};

/* All SETTINGS_COUNT keys, those of a section together. */
extern const struct settings_key settings_keys[SETTINGS_COUNT];

bool settings_key_is_text(const struct settings_key *key);
/* Whether a key is a list; and whether text may be one of its words. */
bool settings_key_is_list(const struct settings_key *key);
bool settings_key_takes_word(const struct settings_key *key, const char *text, size_t length);

/* Whether text is a number that the key may have. */
bool settings_key_read_number(const struct settings_key *key, const char *text, size_t length,
                              int64_t *ret_number);
/* For a key of text: a copy of it, tidied; returns owned. 0; -ENOMEM; -EINVAL when it is not what the key must
 * be. */
int settings_key_read_text(const struct settings_key *key, const char *text, size_t length, char **ret_text);

/* Appends what a value must be: "a whole number of milliseconds from 10 to 60000". */
void settings_key_append_demand(struct buf *to, const struct settings_key *key);

#endif
