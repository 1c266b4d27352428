check_PROGRAMS += tests/lint/check_keys
tests_lint_check_keys_SOURCES = tests/lint/check_keys.c
tests_lint_check_keys_LDADD = $(CONF_LIBS) $(EXTERNAL_LIBS)
TESTS += tests/lint/check_keys.sh
EXTRA_DIST += tests/lint/check_keys.sh
