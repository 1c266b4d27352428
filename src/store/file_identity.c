#include "store/file_identity.h"

#include <xxhash.h>

uint32_t
file_identity(const struct statx *statx)
{
	struct {
		uint64_t inode;
		int64_t birth_s;
		uint64_t birth_ns;
	} what = { 0 };
	uint32_t identity;

	what.inode = statx->stx_ino;
	if (statx->stx_mask & STATX_BTIME) {
		what.birth_s = statx->stx_btime.tv_sec;
		what.birth_ns = statx->stx_btime.tv_nsec;
	}
	identity = (uint32_t)XXH3_64bits(&what, sizeof(what));
	return identity ? identity : 1;
}
