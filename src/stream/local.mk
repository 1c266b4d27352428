noinst_LIBRARIES += libstream.a
libstream_a_SOURCES = \
	src/stream/audience.c src/stream/audience.h \
	src/stream/block.c src/stream/block.h \
	src/stream/channel.c src/stream/channel.h src/stream/channel_block.c \
	src/stream/copy.c src/stream/copy.h \
	src/stream/feed.c src/stream/feed.h src/stream/feed_client.c src/stream/feed_state.h \
	src/stream/feed_members.c \
	src/stream/feed_resume.c src/stream/feed_trail.c src/stream/feed_walk.c \
	src/stream/fragment.c src/stream/fragment.h \
	src/stream/hub.c src/stream/hub.h \
	src/stream/journal.c src/stream/journal.h \
	src/stream/kind.h src/stream/kind_events.c src/stream/kind_file.c src/stream/kind_log.c \
	src/stream/kind_messages.c src/stream/kind_of_many.c \
	src/stream/message_start.c src/stream/message_start.h \
	src/stream/pass.h \
	src/stream/renderer.c src/stream/renderer.h \
	src/stream/run_end.c src/stream/run_end.h \
	src/stream/start.c src/stream/start.h \
	src/stream/stream.h \
	src/stream/subscriber.c src/stream/subscriber.h \
	src/stream/subscriber_advance.c src/stream/subscriber_begin.c src/stream/subscriber_state.h \
	src/stream/subscription.c src/stream/subscription.h \
	src/stream/trail.c src/stream/trail.h src/stream/trail_reader.c src/stream/trail_reader.h \
	src/stream/until.c src/stream/until.h
