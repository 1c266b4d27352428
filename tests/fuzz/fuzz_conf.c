/* The text of config.yaml. */
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "conf/conf.h"
#include "fuzz.h"

/* What was accepted can be written down, and means the same when it is read again. */
static void
round_trip(const struct settings *settings)
{
	char error[CONF_ERROR_BYTES];
	struct buf text = BUF_INIT;
	struct settings again;

	settings_append_yaml(&text, settings);
	must(buf_error(&text) == 0 && settings_init(&again) == 0);
	must(conf_apply_text(&again, "again", text.data, text.length_bytes, error) == 0);
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		must(settings_equal(settings, &again, &settings_keys[i]));
	settings_fini(&again);
	buf_fini(&text);
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
