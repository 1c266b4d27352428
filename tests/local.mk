# Tests in Python print TAP, so that each of their cases counts.
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON)
PY_LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
# What failed is in the lines; the exit status is for those who run one by hand.
AM_PY_LOG_DRIVER_FLAGS = --ignore-exit
AM_TESTS_ENVIRONMENT = \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; \
	CK_DEFAULT_TIMEOUT="$${CK_DEFAULT_TIMEOUT:-60}"; export CK_DEFAULT_TIMEOUT; \
	RUNSTREAM_BUILDDIR='$(abs_top_builddir)'; export RUNSTREAM_BUILDDIR; \
	RUNSTREAM_COMPILE='$(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS)'; \
	export RUNSTREAM_COMPILE;
EXTRA_DIST += tests/tap.py

include tests/unit/local.mk
include tests/golden/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/lint/local.mk
include tests/fault/local.mk
include tests/package/local.mk
include tests/system/local.mk
include tests/soak/local.mk
include tests/browser/local.mk
