/* malloc(3) and its kin. Not in builds with sanitizers, which have their own. */
#include "rules.h"

#include <errno.h>
#include <stdlib.h>

/* glibc's own, by the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *
malloc(size_t size)
{
	return fault(CALL_MEMORY, -1, NULL, NULL) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fault(CALL_MEMORY, -1, NULL, NULL) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return size > 0 && fault(CALL_MEMORY, -1, NULL, NULL) ? NULL : __libc_realloc(old, size);
}
