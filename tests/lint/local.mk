# Checks of the tree itself.
TESTS += tests/lint/test_tree.py
EXTRA_DIST += tests/lint/test_tree.py

# Analyzers, for those who have them: make clang-tidy, make cppcheck.
TIDY_CHECKS = -*,bugprone-*,clang-analyzer-*,cert-err34-c,misc-redundant-expression
TIDY_CHECKS_2 = performance-*,portability-*,-performance-no-int-to-ptr
# Two parameters of one type, and an assignment within parentheses, are no bugs.
TIDY_CHECKS_3 = -bugprone-easily-swappable-parameters,-bugprone-assignment-in-if-condition
# _GNU_SOURCE; and the Annex K functions that no C library has.
TIDY_CHECKS_4 = -bugprone-reserved-identifier,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
clang-tidy:
	find $(top_srcdir)/src -name '*.c' | xargs -P2 -n4 sh -c 'clang-tidy --quiet \
		--warnings-as-errors="*" \
		--checks="$(TIDY_CHECKS),$(TIDY_CHECKS_2),$(TIDY_CHECKS_3),$(TIDY_CHECKS_4)" \
		"$$@" -- -std=gnu11 -I. $(DEFS) $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(YAML_CFLAGS) \
		$(XXHASH_CFLAGS) $(FCGI_CFLAGS)' clang-tidy
# It does not know the unnamed heads of <sys/queue.h>.
cppcheck:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j2 -D_GNU_SOURCE \
		'-DTAILQ_HEAD(n,t)=struct n { struct t *tqh_first, **tqh_last; }' \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		-I $(top_srcdir)/src $(top_srcdir)/src
.PHONY: clang-tidy cppcheck
