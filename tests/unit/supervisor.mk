# Without the roles: what is tested here takes those it is given.
SUPERVISOR_TEST_LIBS = libsupervisor.a $(SHM_LIBS) $(SECCOMP_LIBS)
SUPERVISOR_TESTS = \
	tests/unit/test_assignment \
	tests/unit/test_back_off \
	tests/unit/test_client_orders \
	tests/unit/test_control \
	tests/unit/test_notify \
	tests/unit/test_options \
	tests/unit/test_pool \
	tests/unit/test_privileges \
	tests/unit/test_runtime_dir \
	tests/unit/test_sandbox \
	tests/unit/test_sockets
check_PROGRAMS += $(SUPERVISOR_TESTS)
TESTS += $(SUPERVISOR_TESTS)
tests_unit_test_assignment_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_assignment_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_back_off_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_back_off_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_client_orders_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_client_orders_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_control_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_control_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_notify_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_notify_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_options_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_pool_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pool_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_privileges_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_privileges_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_runtime_dir_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_runtime_dir_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_sandbox_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sandbox_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
tests_unit_test_sockets_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sockets_LDADD = $(SUPERVISOR_TEST_LIBS) $(UNIT_LIBS)
