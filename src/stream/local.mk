noinst_LIBRARIES += libstream.a
libstream_a_SOURCES = \
	src/stream/block.c src/stream/block.h \
	src/stream/channel.c src/stream/channel.h \
	src/stream/file_generation.c src/stream/file_generation.h \
	src/stream/file_system.c src/stream/file_system.h \
	src/stream/follower.c src/stream/follower.h src/stream/follower_state.h \
	src/stream/followers.c src/stream/followers.h \
	src/stream/fragment.c src/stream/fragment.h \
	src/stream/hash_table.h \
	src/stream/hub.c src/stream/hub.h \
	src/stream/indexer.c src/stream/indexer.h \
	src/stream/line_index.c src/stream/line_index.h \
	src/stream/look.c \
	src/stream/place.c src/stream/place.h \
	src/stream/renderer.c src/stream/renderer.h \
	src/stream/rotated.c src/stream/rotated.h \
	src/stream/source.c src/stream/source.h \
	src/stream/start.c src/stream/start.h \
	src/stream/state_fold.c src/stream/state_fold.h \
	src/stream/subscriber.c src/stream/subscriber.h \
	src/stream/watch.c src/stream/watch.h
