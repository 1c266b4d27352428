check_PROGRAMS += tests/lint/check_counters
tests_lint_check_counters_SOURCES = tests/lint/check_counters.c
tests_lint_check_counters_LDADD = $(SHM_LIBS) $(EXTERNAL_LIBS)
TESTS += tests/lint/check_counters.sh
EXTRA_DIST += tests/lint/check_counters.sh
TESTS += tests/lint/check_rules.sh
EXTRA_DIST += tests/lint/check_rules.sh tests/lint/runstream.rules.test.yml
