#include "base/option_mistake.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

enum { MOST_OPTIONS = 64 };

/* Without its "=argument", and no longer than names are. */
static int
name_length(const char *given)
{
	size_t length = strcspn(given, "=");

	return length < 64 ? (int)length : 64;
}

static const char *
nearest_option(const char *given, const struct option *options)
{
	const char *names[MOST_OPTIONS];
	char word[65];
	size_t count = 0;

	if (strncmp(given, "--", 2) != 0)
		return NULL;
	for (; count < MOST_OPTIONS && options[count].name; count++)
		names[count] = options[count].name;
	snprintf(word, sizeof(word), "%.*s", name_length(given) - 2, given + 2);
	return nearest_word(word, names, count);
}

void
option_mistake(int returned, char *const argv[], const struct option *options,
               char ret_sentence[static OPTION_MISTAKE_BYTES])
{
	const char *given = argv[optind - 1], *nearest;
	char letter[3] = { '-', (char)optopt, '\0' };

	if (returned == ':') {
		snprintf(ret_sentence, OPTION_MISTAKE_BYTES, "option \"%.64s\" needs an argument", given);
		return;
	}
	if (strncmp(given, "--", 2) == 0 && optopt != 0) {
		snprintf(ret_sentence, OPTION_MISTAKE_BYTES, "option \"%.*s\" takes no argument",
		         name_length(given), given);
		return;
	}
	if (optopt != 0)
		given = letter; /* maybe among others: "-xq" */
	nearest = nearest_option(given, options);
	snprintf(ret_sentence, OPTION_MISTAKE_BYTES, "there is no option \"%.*s\"%s%s%s",
	         name_length(given), given, nearest ? "; did you mean \"--" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}
