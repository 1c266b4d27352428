#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void
must_fail(const char *expression, const char *file, int line, const char *function)
{
	fprintf(stderr, "<2>invariant_broken expression=\"%s\" at=%s:%d function=%s\n", expression,
	        file, line, function);
	abort();
}
