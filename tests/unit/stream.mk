# What drives streams over real files, and reads them.
STREAM_FIXTURE = tests/unit/stream_fixture.c tests/unit/stream_fixture.h tests/unit/reader.c tests/unit/reader.h \
	tests/unit/kept_state.c tests/unit/kept_state.h
# What rotates a log under them.
ROTATION = tests/unit/rotation.c tests/unit/rotation.h $(STREAM_FIXTURE)

STREAM_TESTS = tests/unit/test_alike tests/unit/test_copies tests/unit/test_emptied \
	tests/unit/test_feed tests/unit/test_feed_copies tests/unit/test_feed_edges tests/unit/test_feed_resume \
	tests/unit/test_feed_return \
	tests/unit/test_follow_model \
	tests/unit/test_fragment tests/unit/test_journal tests/unit/test_log_stream \
	tests/unit/test_renderer tests/unit/test_rotation
check_PROGRAMS += $(STREAM_TESTS)
TESTS += $(STREAM_TESTS)
tests_unit_test_alike_SOURCES = tests/unit/test_alike.c $(ROTATION)
tests_unit_test_alike_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_alike_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_copies_SOURCES = tests/unit/test_copies.c $(ROTATION)
tests_unit_test_copies_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_copies_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_emptied_SOURCES = tests/unit/test_emptied.c $(ROTATION)
tests_unit_test_emptied_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_emptied_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_SOURCES = tests/unit/test_feed.c $(STREAM_FIXTURE)
tests_unit_test_feed_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_copies_SOURCES = tests/unit/test_feed_copies.c $(STREAM_FIXTURE)
tests_unit_test_feed_copies_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_copies_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_edges_SOURCES = tests/unit/test_feed_edges.c $(STREAM_FIXTURE)
tests_unit_test_feed_edges_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_edges_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_resume_SOURCES = tests/unit/test_feed_resume.c tests/unit/feed_world.c \
	tests/unit/feed_world.h $(STREAM_FIXTURE)
tests_unit_test_feed_resume_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_resume_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_feed_return_SOURCES = tests/unit/test_feed_return.c $(STREAM_FIXTURE)
tests_unit_test_feed_return_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_return_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_follow_model_SOURCES = tests/unit/test_follow_model.c tests/unit/driven.c \
	tests/unit/driven.h tests/unit/follow_ops.c tests/unit/follow_ops.h \
	tests/unit/follow_position.c tests/unit/follow_position.h \
	tests/unit/follow_whereabouts.c tests/unit/follow_whereabouts.h tests/unit/follow_truth.c \
	tests/unit/follow_truth.h $(STREAM_FIXTURE)
tests_unit_test_follow_model_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_follow_model_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_fragment_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fragment_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_journal_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_log_stream_SOURCES = tests/unit/test_log_stream.c $(STREAM_FIXTURE)
tests_unit_test_log_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_stream_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_renderer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_renderer_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_trail
TESTS += tests/unit/test_trail
tests_unit_test_trail_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_trail_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
tests_unit_test_rotation_SOURCES = tests/unit/test_rotation.c $(ROTATION)
tests_unit_test_rotation_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_rotation_LDADD = $(STREAM_LIBS) $(UNIT_LIBS)
