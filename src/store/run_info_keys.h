/* The keys of run-info.yaml, from which it is read and written. Internal to store. */
#ifndef STORE_RUN_INFO_KEYS_H
#define STORE_RUN_INFO_KEYS_H

#include <stddef.h>

/* char *; int64_t; the exit code's int32_t; int64_t in ms. */
enum run_info_type { RUN_INFO_TEXT, RUN_INFO_NUMBER, RUN_INFO_EXIT_CODE, RUN_INFO_TIME };

struct run_info_key {
	const char *name;
	enum run_info_type type;
	size_t offset; /* in struct run_info */
};

enum { RUN_INFO_KEYS = 21 };

extern const struct run_info_key run_info_keys[RUN_INFO_KEYS];

#endif
