# Checks of the tree itself.
TESTS += tests/lint/test_tree.py
EXTRA_DIST += tests/lint/test_tree.py

# Analyzers, for those who have them: make clang-tidy, make cppcheck.
ANALYZED = find $(top_srcdir)/src -name '*.c'
clang-tidy:
	$(ANALYZED) | xargs -P2 -n4 clang-tidy --quiet --warnings-as-errors='*' \
		--checks='-*,bugprone-*,clang-analyzer-*,cert-err34-c,misc-redundant-expression,performance-*,portability-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-assignment-in-if-condition,-bugprone-multi-level-implicit-pointer-conversion,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-performance-no-int-to-ptr' \
		-- -std=gnu11 -I. $(DEFS) $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(YAML_CFLAGS) $(XXHASH_CFLAGS) $(FCGI_CFLAGS)
cppcheck:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j2 -D_GNU_SOURCE \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		-I $(top_srcdir)/src $(top_srcdir)/src
.PHONY: clang-tidy cppcheck
