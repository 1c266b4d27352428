check_PROGRAMS += tests/unit/test_discovery
TESTS += tests/unit/test_discovery
tests_unit_test_discovery_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_discovery_LDADD = $(DISCOVERY_LIBS) $(UNIT_LIBS)
