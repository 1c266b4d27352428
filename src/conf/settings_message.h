/*
 * Settings on their way from the supervisor to its children (shm/orders.h): one message, "settings\n" and then a line "path value" for each key. Values hold no
 * newlines. The children need neither the file nor the variables and flags for it.
 */
#ifndef CONF_SETTINGS_MESSAGE_H
#define CONF_SETTINGS_MESSAGE_H

#include "base/buf.h"
#include "conf/settings.h"

enum { SETTINGS_MESSAGE_BYTES = 64 * 1024 };

/* Appends the message. Errors are kept in the buffer. */
void settings_message_append(struct buf *to, const struct settings *settings);

/* 0 with the settings (the caller frees them with settings_fini()), -EBADMSG for what is no such
 * message, other -errno. */
int settings_message_parse(const char *text, size_t length, struct settings *ret_settings);

#endif
