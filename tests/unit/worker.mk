WORKER_TESTS = tests/unit/test_worker_output
check_PROGRAMS += $(WORKER_TESTS)
TESTS += $(WORKER_TESTS)
tests_unit_test_worker_output_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_worker_output_LDADD = $(WORKER_LIBS) $(UNIT_LIBS)
