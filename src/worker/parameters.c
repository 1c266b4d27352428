#include "worker/parameters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

void
parameters_refuse(struct connection *c, const char *name, const char *what)
{
	char message[256];

	snprintf(message, sizeof(message), "the parameter %s %s", name, what);
	connection_answer(c, answer_error(&c->style, ANSWER_BAD_REQUEST, message, "parameter", name, 0));
}

int
parameters_text(struct connection *c, const char *name, struct target_text *ret_value)
{
	int error = target_query(&c->request->target, name, ret_value);

	if (error == -ENOENT || (!error && ret_value->length == 0))
		return 0;
	if (error) {
		parameters_refuse(c, name, "is not well encoded, or holds a control character");
		return -1;
	}
	return 1;
}

int
parameters_number(struct connection *c, const char *name, uint64_t least, uint64_t most,
                  uint64_t *ret_value)
{
	struct target_text text;
	uint64_t value;
	int found = parameters_text(c, name, &text);

	if (found <= 0)
		return found;
	if (num_parse_u64(text.text, text.length, &value) < 0 || value < least || value > most) {
		char what[96];

		snprintf(what, sizeof(what), "must be a whole number from %llu to %llu",
		         (unsigned long long)least, (unsigned long long)most);
		parameters_refuse(c, name, what);
		return -1;
	}
	*ret_value = value;
	return 1;
}

bool
parameters_word(struct connection *c, const char *name, char *to, size_t room)
{
	struct target_text value;
	int found = parameters_text(c, name, &value);

	if (found <= 0)
		return found == 0;
	if (value.length >= room) {
		parameters_refuse(c, name, "is longer than any such value");
		return false;
	}
	memcpy(to, value.text, value.length + 1);
	return true;
}

bool
parameters_segment(struct connection *c, size_t index, const char *what,
                   char to[static RUN_ID_BYTES + 1])
{
	const struct target_text *name = &c->request->target.segments[index];
	char message[64];

	if (run_id_valid(name->text, name->length)) {
		memcpy(to, name->text, name->length + 1);
		return true;
	}
	snprintf(message, sizeof(message), "this cannot be %s", what);
	connection_answer(c, answer_error(&c->style, ANSWER_BAD_REQUEST, message, NULL, NULL, 0));
	return false;
}
