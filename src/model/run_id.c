#include "model/run_id.h"

#include "model/utf8.h"

bool
run_id_valid(const char *text, size_t length)
{
	const uint8_t *bytes = (const uint8_t *)text;

	if (length == 0 || length > RUN_ID_BYTES || !utf8_valid(bytes, length))
		return false;
	if (bytes[0] == '.' && (length == 1 || (length == 2 && bytes[1] == '.')))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] < 0x20 || bytes[i] == 0x7f || bytes[i] == '/' || bytes[i] == '\\')
			return false;
		/* U+0080 to U+009F are C2 80 to C2 9F. */
		if (bytes[i] == 0xc2 && bytes[i + 1] < 0xa0)
			return false;
	}
	return true;
}
