# How fast text is escaped for JSON: build and run tests/bench/escape_bench.
check_PROGRAMS += tests/bench/escape_bench
tests_bench_escape_bench_LDADD = $(MODEL_LIBS)
