STREAM_TESTS = tests/unit/test_feed tests/unit/test_feed_edges tests/unit/test_journal tests/unit/test_fragment tests/unit/test_line_index tests/unit/test_log_stream \
	tests/unit/test_renderer tests/unit/test_follow_model
check_PROGRAMS += $(STREAM_TESTS)
TESTS += $(STREAM_TESTS)
tests_unit_test_fragment_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fragment_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_line_index_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_line_index_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_log_stream_SOURCES = tests/unit/test_log_stream.c tests/unit/stream_fixture.c \
	tests/unit/stream_fixture.h
tests_unit_test_log_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_stream_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_renderer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_renderer_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_follow_model_SOURCES = tests/unit/test_follow_model.c tests/unit/stream_fixture.c \
	tests/unit/stream_fixture.h
tests_unit_test_follow_model_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_follow_model_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_state_fold
TESTS += tests/unit/test_state_fold
tests_unit_test_state_fold_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_state_fold_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)

MESSAGE_STREAM_TESTS = tests/unit/test_message_index tests/unit/test_message_search
check_PROGRAMS += $(MESSAGE_STREAM_TESTS)
TESTS += $(MESSAGE_STREAM_TESTS)
tests_unit_test_message_index_SOURCES = tests/unit/test_message_index.c tests/unit/memory_source.h \
	tests/unit/message_slices.h
tests_unit_test_message_index_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_index_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_message_search_SOURCES = tests/unit/test_message_search.c tests/unit/memory_source.h \
	tests/unit/message_slices.h
tests_unit_test_message_search_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_search_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_SOURCES = tests/unit/test_feed.c tests/unit/stream_fixture.c \
	tests/unit/stream_fixture.h
tests_unit_test_feed_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_journal_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_edges_SOURCES = tests/unit/test_feed_edges.c tests/unit/stream_fixture.c \
	tests/unit/stream_fixture.h
tests_unit_test_feed_edges_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_edges_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
