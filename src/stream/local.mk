noinst_LIBRARIES += libstream.a
libstream_a_SOURCES = \
	src/stream/audience.c src/stream/audience.h \
	src/stream/block.c src/stream/block.h \
	src/stream/channel.c src/stream/channel.h \
	src/stream/feed.c src/stream/feed.h src/stream/feed_client.c src/stream/feed_state.h \
	src/stream/feed_walk.c \
	src/stream/file_generation.c src/stream/file_generation.h \
	src/stream/file_system.c src/stream/file_system.h \
	src/stream/follower.c src/stream/follower.h src/stream/follower_state.h \
	src/stream/followers.c src/stream/followers.h \
	src/stream/fragment.c src/stream/fragment.h \
	src/stream/hash_table.h \
	src/stream/hub.c src/stream/hub.h \
	src/stream/indexer.c src/stream/indexer.h \
	src/stream/journal.c src/stream/journal.h \
	src/stream/kind.h src/stream/kind_events.c src/stream/kind_file.c src/stream/kind_log.c \
	src/stream/kind_messages.c src/stream/kind_of_many.c \
	src/stream/line_index.c src/stream/line_index.h \
	src/stream/look.c \
	src/stream/lore.c src/stream/lore.h \
	src/stream/message_index.c src/stream/message_index.h \
	src/stream/message_scan.c src/stream/message_scan.h \
	src/stream/message_search.c src/stream/message_search.h \
	src/stream/message_start.c src/stream/message_start.h \
	src/stream/pass.h \
	src/stream/place.c src/stream/place.h \
	src/stream/renderer.c src/stream/renderer.h \
	src/stream/rotated.c src/stream/rotated.h \
	src/stream/source.c src/stream/source.h \
	src/stream/start.c src/stream/start.h \
	src/stream/state_fold.c src/stream/state_fold.h \
	src/stream/stream.h \
	src/stream/subscriber.c src/stream/subscriber.h \
	src/stream/subscription.c src/stream/subscription.h \
	src/stream/watch.c src/stream/watch.h
