/* run-info.yaml and the times in it. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "fuzz.h"
#include "model/rfc3339.h"
#include "store/run_info.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_info info;
	int64_t ms;

	if (run_info_parse((const char *)data, size, &info) == 0) {
		must(run_info_status(&info)[0] != '\0');
		must(strlen(run_info_status(&info)) <= RUN_INFO_BYTES);
		run_info_fini(&info);
	}
	if (rfc3339_parse((const char *)data, size, &ms) == 0)
		must(ms >= INT64_C(-62167305600000) && ms <= INT64_C(253402387200000));
	return 0;
}
