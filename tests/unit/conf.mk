# One program for each module.
check_PROGRAMS += tests/unit/test_settings
TESTS += tests/unit/test_settings
tests_unit_test_settings_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_settings_LDADD = $(CONF_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_conf
TESTS += tests/unit/test_conf
tests_unit_test_conf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_conf_LDADD = $(CONF_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_settings_message
TESTS += tests/unit/test_settings_message
tests_unit_test_settings_message_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_settings_message_LDADD = $(CONF_LIBS) $(UNIT_LIBS)
