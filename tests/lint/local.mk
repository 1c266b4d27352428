# Checks of the tree itself.
include tests/lint/conf.mk
include tests/lint/shm.mk
TESTS += tests/lint/test_tree.py
EXTRA_DIST += tests/lint/test_tree.py tests/lint/cppcheck.h .clang-tidy

# Analyzers, for those who have them: make clang-tidy, make cppcheck.
clang-tidy:
	find $(top_srcdir)/src -name '*.c' | sort | xargs -I@ -P "$$(nproc)" clang-tidy --quiet @ -- \
		-std=gnu11 $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
		$(JSON_C_CFLAGS) $(YAML_CFLAGS) $(XXHASH_CFLAGS) $(FCGI_CFLAGS)
cppcheck:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j2 -D_GNU_SOURCE \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--include=$(top_srcdir)/tests/lint/cppcheck.h \
		-I $(top_srcdir)/src $(top_srcdir)/src
.PHONY: clang-tidy cppcheck
