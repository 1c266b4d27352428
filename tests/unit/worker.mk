WORKER_TESTS = tests/unit/test_send_queue
check_PROGRAMS += $(WORKER_TESTS)
TESTS += $(WORKER_TESTS)
tests_unit_test_send_queue_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_send_queue_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
