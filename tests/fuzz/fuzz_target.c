/* Request targets, the names in them, and their parameters. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/run_id.h"
#include "model/target.h"

static void
check_text(const struct target_text *text)
{
	must(strlen(text->text) == text->length);
	for (size_t i = 0; i < text->length; i++)
		must((unsigned char)text->text[i] >= 0x20 && text->text[i] != 0x7f);
}

static void
check_name(const struct target_text *segment)
{
	if (!run_id_valid(segment->text, segment->length))
		return;
	must(segment->length >= 1 && segment->length <= RUN_ID_BYTES);
	must(!strchr(segment->text, '/') && !strchr(segment->text, '\\'));
	must(strcmp(segment->text, ".") != 0 && strcmp(segment->text, "..") != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prefixes[] = { "", "/api", "/logs/api" };
	struct target *target = malloc(sizeof(*target));

	must(target);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (target_parse((const char *)data, size, prefixes[i], target) != 0)
			continue;
		must(target->segment_count <= TARGET_SEGMENTS);
		for (size_t j = 0; j < target->segment_count; j++) {
			check_text(&target->segments[j]);
			must(!strchr(target->segments[j].text, '/'));
			check_name(&target->segments[j]);
		}
		must(target->parameter_count <= TARGET_PARAMETERS);
		for (size_t j = 0; j < target->parameter_count; j++) {
			struct target_text value;

			if (target_query(target, target->parameters[j].name, &value) == 0)
				check_text(&value);
		}
	}
	/* What is taken as it stands is what it is when it is taken apart. */
	if (target_has_path((const char *)data, size, "/metrics") &&
	    target_parse((const char *)data, size, "", target) == 0)
		must(target->segment_count == 1 && strcmp(target->segments[0].text, "metrics") == 0);
	free(target);
	run_id_valid((const char *)data, size);
	return 0;
}
