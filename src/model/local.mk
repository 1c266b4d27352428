# Sources of libmodel.a, one file a line.
noinst_LIBRARIES += libmodel.a
libmodel_a_SOURCES = \
	src/model/broadcast.c src/model/broadcast.h \
	src/model/bus_id.c src/model/bus_id.h \
	src/model/cursor.c src/model/cursor.h \
	src/model/digest.c src/model/digest.h \
	src/model/entry_id.c src/model/entry_id.h \
	src/model/event.c src/model/event.h \
	src/model/event_batch.c src/model/event_batch.h \
	src/model/event_line.c src/model/event_line.h \
	src/model/fastcgi.c src/model/fastcgi.h \
	src/model/fault.h \
	src/model/feed_id.c src/model/feed_id.h \
	src/model/json_scan.c src/model/json_scan.h \
	src/model/json_text.c src/model/json_text.h \
	src/model/json_value.c \
	src/model/fingerprint.c src/model/fingerprint.h \
	src/model/message.c src/model/message.h \
	src/model/message_cut.c src/model/message_cut.h \
	src/model/network.c src/model/network.h \
	src/model/origin.c src/model/origin.h \
	src/model/rfc3339.c src/model/rfc3339.h \
	src/model/run_completion.c src/model/run_completion.h \
	src/model/run_id.c src/model/run_id.h \
	src/model/run_request.c src/model/run_request.h \
	src/model/run_state.c src/model/run_state.h \
	src/model/sse_reader.c src/model/sse_reader.h \
	src/model/target.c src/model/target.h \
	src/model/trail.c src/model/trail.h \
	src/model/utf8.c src/model/utf8.h \
	src/model/word_list.c src/model/word_list.h \
	src/model/yaml_walk.c src/model/yaml_walk.h
