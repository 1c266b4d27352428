/* The text of config.yaml. */
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/settings_message.h"
#include "fuzz.h"

/* What was accepted can be sent to the children, and means the same there. */
static void
round_trip(const struct settings *settings)
{
	struct buf message = BUF_INIT;
	struct settings received;

	settings_message_append(&message, settings);
	must(buf_error(&message) == 0 && message.length_bytes <= SETTINGS_MESSAGE_BYTES);
	must(settings_message_parse(message.data, message.length_bytes, &received) == 0);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		must(settings_equal(settings, &received, &settings_keys[i]));
	settings_fini(&received);
	buf_fini(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CONF_ERROR_BYTES] = "";
	struct settings settings;

	must(settings_init(&settings) == 0);
	if (conf_apply_text(&settings, "f", (const char *)data, size, error) == 0) {
		must(*error == '\0');
		round_trip(&settings);
	} else {
		must(strncmp(error, "f:", 2) == 0 && strlen(error) > 4);
	}
	settings_fini(&settings);
	return 0;
}
