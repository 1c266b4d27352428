FOLLOW_TESTS = tests/unit/test_file_generation \
	tests/unit/test_indexer tests/unit/test_line_index tests/unit/test_message_index \
	tests/unit/test_message_search tests/unit/test_state_fold
check_PROGRAMS += $(FOLLOW_TESTS)
TESTS += $(FOLLOW_TESTS)
tests_unit_test_file_generation_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_file_generation_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
tests_unit_test_indexer_SOURCES = tests/unit/test_indexer.c tests/unit/memory_source.h
tests_unit_test_indexer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_indexer_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
tests_unit_test_line_index_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_line_index_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
tests_unit_test_message_index_SOURCES = tests/unit/test_message_index.c tests/unit/memory_source.h \
	tests/unit/message_slices.h
tests_unit_test_message_index_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_index_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
tests_unit_test_message_search_SOURCES = tests/unit/test_message_search.c tests/unit/memory_source.h \
	tests/unit/message_slices.h
tests_unit_test_message_search_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_search_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
tests_unit_test_state_fold_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_state_fold_LDADD = $(FOLLOW_LIBS) $(UNIT_LIBS)
