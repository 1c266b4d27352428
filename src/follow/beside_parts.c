#include "follow/beside_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

enum { MOST_PARTS = 32 };

int
beside_parts_init(struct beside_parts *parts, enum file_system file_system)
{
	parts->file_system = file_system;
	parts->list = calloc(MOST_PARTS, sizeof(*parts->list));
	return parts->list ? 0 : -ENOMEM;
}

void
beside_parts_fini(struct beside_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		fd_close(&parts->list[i].fd);
	free(parts->list);
	*parts = (struct beside_parts){ 0 };
}

int
beside_parts_open(struct beside_parts *parts, const struct neighbours *n, size_t index, const char *lost,
                  struct beside_candidate *ret_candidate)
{
	struct beside_part part = { 0 };
	int error;

	if (n->list[index].is_packed) {
		parts->lost = "compressed";
		return 0;
	}
	error = neighbours_open(n, index, &part.stat, &part.fd);
	if (error == -EACCES || error == -EPERM) {
		parts->lost = lost; /* it is there, and cannot be read */
		return 0;
	}
	if (error)
		return error;
	*ret_candidate = (struct beside_candidate){ .part = part, .alike = NEIGHBOUR_OTHER, .lost = lost };
	return 1;
}

void
beside_parts_compare(struct beside_parts *parts, struct beside_candidate *c)
{
	const struct stat *stat = &c->part.stat;

	for (size_t i = 0; i < parts->count && c->alike == NEIGHBOUR_OTHER; i++) {
		struct beside_part *part = &parts->list[i];

		c->alike = neighbour_compare(c->part.fd, (uint64_t)stat->st_size, part->fd,
		                             (uint64_t)part->stat.st_size);
		if (c->alike == NEIGHBOUR_OTHER || c->alike == NEIGHBOUR_UNREADABLE)
			continue;
		c->is_longer = stat->st_size > part->stat.st_size;
		if (c->is_longer) {
			fd_close(&part->fd);
			memmove(part, part + 1, (parts->count - i - 1) * sizeof(*part));
			parts->count--;
		}
	}
}

int
beside_parts_take(struct beside_parts *parts, struct beside_candidate *c)
{
	if (c->alike == NEIGHBOUR_UNREADABLE || c->known < 0) {
		fd_close(&c->part.fd);
		return -EIO;
	}
	if ((c->alike != NEIGHBOUR_OTHER && !c->is_longer) || c->known) {
		fd_close(&c->part.fd);
		return 0;
	}
	if (parts->count == MOST_PARTS) {
		fd_close(&c->part.fd);
		parts->lost = c->lost;
		return 0;
	}
	c->part.lost = parts->lost;
	parts->lost = c->lost_behind;
	parts->list[parts->count++] = c->part; /* takes the descriptor */
	return 0;
}

int
beside_known_holds(const struct beside_known *known, int fd)
{
	int holds = known->mark.offset > 0 ? neighbour_verify(fd, &known->mark) : 0;

	for (size_t i = 0; i < known->coming_count && holds == 0; i++)
		if (known->coming[i].offset > 0)
			holds = neighbour_verify(fd, &known->coming[i]);
	for (size_t i = 0; i < known->passed->count && holds == 0; i++)
		if (known->passed->list[i].known.offset > 0)
			holds = neighbour_verify(fd, &known->passed->list[i].known);
	return holds;
}
