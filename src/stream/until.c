#include "stream/until.h"

#include "stream/channel.h"
#include "stream/copy.h"

/* The same content: one file may have been opened twice, if it was rotated away; but what follows a
 * truncation is in the same file as well. */
static bool
is_in_the_same(const struct generation *g, const struct generation *until)
{
	return g == until || (g->identity == until->identity && !copy_leads_to(g, until, false) &&
	                      !copy_leads_to(until, g, false));
}

bool
until_is_past(const struct place *until, const struct place *place)
{
	if (is_in_the_same(place->generation, until->generation))
		return place->offset > until->offset ||
		       (place->offset == until->offset && !(until->is_finished && place->is_open));
	/* It lies behind; or is what was emptied before `until` was moved to a copy of its own, to which
	 * nothing leads: then what lies between comes, twice perhaps, but it is not passed over. */
	if (!copy_leads_to(place->generation, until->generation, true))
		return place->generation->state == GENERATION_LIVE ||
		       copy_leads_to(until->generation, place->generation, false);
	/* One that was rotated away may have its writer still: until then it is over where all is empty. */
	return place_is_last(place);
}

uint64_t
until_limit(const struct place *until, const struct place *place)
{
	if (until_is_past(until, place))
		return 0;
	if (!is_in_the_same(place->generation, until->generation))
		return CHANNEL_NO_LIMIT;
	return until->is_finished ? until->offset | CHANNEL_LIMIT_FINISHES : until->offset;
}

int
until_move_to_copy(struct place *until)
{
	return until->generation->state == GENERATION_LOST ? copy_move(until, NULL, NULL) : 0;
}
