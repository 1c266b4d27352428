# For each module:
#   check_PROGRAMS += tests/unit/test_x
#   TESTS += tests/unit/test_x
#   tests_unit_test_x_CFLAGS = $(UNIT_CFLAGS)
#   tests_unit_test_x_LDADD = $(LAYER_LIBS) $(UNIT_LIBS)

# libfcgi is the reference that our reader of requests is compared with.
check_PROGRAMS += tests/unit/test_fastcgi
TESTS += tests/unit/test_fastcgi
tests_unit_test_fastcgi_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fastcgi_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(FCGI_LIBS)

check_PROGRAMS += tests/unit/test_run_id
TESTS += tests/unit/test_run_id
tests_unit_test_run_id_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_id_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_target
TESTS += tests/unit/test_target
tests_unit_test_target_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_target_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_utf8
TESTS += tests/unit/test_utf8
tests_unit_test_utf8_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_utf8_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_json_text
TESTS += tests/unit/test_json_text
tests_unit_test_json_text_SOURCES = tests/unit/test_json_text.c tests/unit/json_reference.h
tests_unit_test_json_text_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_json_text_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

# The same for machines without SSE2, on those that have it.
check_PROGRAMS += tests/unit/test_json_text_portable
TESTS += tests/unit/test_json_text_portable
tests_unit_test_json_text_portable_SOURCES = $(tests_unit_test_json_text_SOURCES) src/model/json_text.c
tests_unit_test_json_text_portable_CFLAGS = $(UNIT_CFLAGS) -U__SSE2__
tests_unit_test_json_text_portable_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_bus_id
TESTS += tests/unit/test_bus_id
tests_unit_test_bus_id_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_bus_id_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

CURSOR_TESTS = tests/unit/test_cursor tests/unit/test_event tests/unit/test_fingerprint
check_PROGRAMS += $(CURSOR_TESTS)
TESTS += $(CURSOR_TESTS)
tests_unit_test_cursor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_cursor_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_event_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_event_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_fingerprint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fingerprint_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_rfc3339
TESTS += tests/unit/test_rfc3339
tests_unit_test_rfc3339_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_rfc3339_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_network tests/unit/test_origin
TESTS += tests/unit/test_network tests/unit/test_origin
tests_unit_test_network_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_network_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_origin_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_origin_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

MESSAGE_TESTS = tests/unit/test_message tests/unit/test_message_cut tests/unit/test_yaml_walk
check_PROGRAMS += $(MESSAGE_TESTS)
TESTS += $(MESSAGE_TESTS)
tests_unit_test_message_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_yaml_walk_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_yaml_walk_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_message_cut_SOURCES = tests/unit/test_message_cut.c tests/unit/message_slices.h
tests_unit_test_message_cut_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_message_cut_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

RECORDED_TESTS = tests/unit/test_event_line tests/unit/test_json_scan tests/unit/test_run_request \
	tests/unit/test_run_state
check_PROGRAMS += $(RECORDED_TESTS)
TESTS += $(RECORDED_TESTS)
tests_unit_test_event_line_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_event_line_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_json_scan_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_json_scan_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_run_request_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_request_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
tests_unit_test_run_state_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_state_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_broadcast
TESTS += tests/unit/test_broadcast
tests_unit_test_broadcast_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_broadcast_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_sse_reader
TESTS += tests/unit/test_sse_reader
tests_unit_test_sse_reader_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sse_reader_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_feed_id
TESTS += tests/unit/test_feed_id
tests_unit_test_feed_id_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_feed_id_LDADD = $(MODEL_LIBS) $(UNIT_LIBS)
