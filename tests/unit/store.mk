check_PROGRAMS += tests/unit/test_run_dir
TESTS += tests/unit/test_run_dir
tests_unit_test_run_dir_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_dir_LDADD = $(STORE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_run_info
TESTS += tests/unit/test_run_info
tests_unit_test_run_info_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_info_LDADD = $(STORE_LIBS) $(UNIT_LIBS)
