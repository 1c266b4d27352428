check_PROGRAMS += tests/fuzz/fuzz_fastcgi
tests_fuzz_fuzz_fastcgi_SOURCES = tests/fuzz/fuzz_fastcgi.c $(FUZZ_MAIN)
tests_fuzz_fuzz_fastcgi_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_fastcgi_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_fastcgi

check_PROGRAMS += tests/fuzz/fuzz_target
tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c $(FUZZ_MAIN)
tests_fuzz_fuzz_target_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_target_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_target

check_PROGRAMS += tests/fuzz/fuzz_json_text
tests_fuzz_fuzz_json_text_SOURCES = tests/fuzz/fuzz_json_text.c tests/unit/json_reference.h $(FUZZ_MAIN)
tests_fuzz_fuzz_json_text_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_json_text_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_json_text

check_PROGRAMS += tests/fuzz/fuzz_message
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c tests/unit/message_slices.h $(FUZZ_MAIN)
tests_fuzz_fuzz_message_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_message_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_message

check_PROGRAMS += tests/fuzz/fuzz_cursor
tests_fuzz_fuzz_cursor_SOURCES = tests/fuzz/fuzz_cursor.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cursor_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_cursor_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_cursor

check_PROGRAMS += tests/fuzz/fuzz_event_line
tests_fuzz_fuzz_event_line_SOURCES = tests/fuzz/fuzz_event_line.c $(FUZZ_MAIN)
tests_fuzz_fuzz_event_line_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_event_line_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_event_line

check_PROGRAMS += tests/fuzz/fuzz_event_request
tests_fuzz_fuzz_event_request_SOURCES = tests/fuzz/fuzz_event_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_event_request_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_event_request_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_event_request

check_PROGRAMS += tests/fuzz/fuzz_sse_reader
tests_fuzz_fuzz_sse_reader_SOURCES = tests/fuzz/fuzz_sse_reader.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sse_reader_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_sse_reader_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_sse_reader

check_PROGRAMS += tests/fuzz/fuzz_feed_id
tests_fuzz_fuzz_feed_id_SOURCES = tests/fuzz/fuzz_feed_id.c $(FUZZ_MAIN)
tests_fuzz_fuzz_feed_id_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_feed_id_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_feed_id

check_PROGRAMS += tests/fuzz/fuzz_trail
tests_fuzz_fuzz_trail_SOURCES = tests/fuzz/fuzz_trail.c $(FUZZ_MAIN)
tests_fuzz_fuzz_trail_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_trail_LDADD = $(MODEL_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_trail
