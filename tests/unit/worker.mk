WORKER_TESTS = tests/unit/test_body tests/unit/test_cors tests/unit/test_metrics tests/unit/test_ready \
	tests/unit/test_send_queue
check_PROGRAMS += $(WORKER_TESTS)
TESTS += $(WORKER_TESTS)
tests_unit_test_body_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_body_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
tests_unit_test_cors_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_cors_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
tests_unit_test_metrics_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_metrics_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
tests_unit_test_send_queue_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_send_queue_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
tests_unit_test_ready_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ready_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
