/*
 * Settings on their way from the supervisor to its children, over the SOCK_SEQPACKET that each
 * inherits: one message, "settings\n" and then a line "path value" for each key. Values hold no
 * newlines. The children need neither the file nor the variables and flags for it.
 */
#ifndef CONF_SETTINGS_MESSAGE_H
#define CONF_SETTINGS_MESSAGE_H

#include "base/buf.h"
#include "conf/settings.h"

enum { SETTINGS_MESSAGE_BYTES = 64 * 1024 };

/* Appends the message. Errors are kept in the buffer. */
void settings_message_append(struct buf *to, const struct settings *settings);

/*
 * Receives one message from fd. Returns 1 with the settings (the caller frees them with
 * settings_fini()), 0 when the other side is gone, -EAGAIN when there is none yet on a
 * non-blocking descriptor, -EBADMSG for what is no such message, other -errno.
 */
int settings_receive(int fd, struct settings *ret_settings);

#endif
