#include "worker/parameters.h"

#include <errno.h>
#include <stdio.h>

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
