noinst_LIBRARIES += libfollow.a
libfollow_a_SOURCES = \
	src/follow/beside.c src/follow/beside.h \
	src/follow/beside_parts.c src/follow/beside_parts.h \
	src/follow/file_generation.c src/follow/file_generation.h \
	src/follow/file_system.c src/follow/file_system.h \
	src/follow/follower.c src/follow/follower.h src/follow/follower_state.h \
	src/follow/followers.c src/follow/followers.h \
	src/follow/hash_table.h \
	src/follow/indexer.c src/follow/indexer.h \
	src/follow/line_index.c src/follow/line_index.h \
	src/follow/look.c src/follow/look_path.c \
	src/follow/lore.c src/follow/lore.h \
	src/follow/message_index.c src/follow/message_index.h \
	src/follow/message_scan.c src/follow/message_scan.h \
	src/follow/message_search.c src/follow/message_search.h \
	src/follow/neighbours.c src/follow/neighbours.h \
	src/follow/passed.c src/follow/passed.h \
	src/follow/place.c src/follow/place.h \
	src/follow/rotated.c src/follow/rotated.h \
	src/follow/rotated_holder.c src/follow/rotated_holder.h \
	src/follow/rotated_search.c src/follow/rotated_search.h \
	src/follow/source.c src/follow/source.h \
	src/follow/state_fold.c src/follow/state_fold.h \
	src/follow/succession.c src/follow/succession.h \
	src/follow/watch.c src/follow/watch.h
