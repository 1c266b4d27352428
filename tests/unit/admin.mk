# One program for each module.
ADMIN_TEST_LIBS = $(ADMIN_LIBS) $(LIBCURL_LIBS) $(UNIT_LIBS)
EXTRA_DIST += tests/unit/golden.h

check_PROGRAMS += tests/unit/test_output
TESTS += tests/unit/test_output
tests_unit_test_output_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_output_LDADD = $(ADMIN_TEST_LIBS)

check_PROGRAMS += tests/unit/test_nginx_templates
TESTS += tests/unit/test_nginx_templates
tests_unit_test_nginx_templates_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_nginx_templates_LDADD = $(ADMIN_TEST_LIBS)

check_PROGRAMS += tests/unit/test_run_folder
TESTS += tests/unit/test_run_folder
tests_unit_test_run_folder_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_run_folder_LDADD = $(ADMIN_TEST_LIBS)

check_PROGRAMS += tests/unit/test_exec_record
TESTS += tests/unit/test_exec_record
tests_unit_test_exec_record_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_exec_record_LDADD = $(ADMIN_TEST_LIBS)

check_PROGRAMS += tests/unit/test_commands
TESTS += tests/unit/test_commands
tests_unit_test_commands_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_commands_LDADD = $(ADMIN_TEST_LIBS)
