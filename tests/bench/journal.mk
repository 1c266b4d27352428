# What many who come back to a feed at once cost: build and run tests/bench/journal_bench.
check_PROGRAMS += tests/bench/journal_bench
tests_bench_journal_bench_SOURCES = tests/bench/journal_bench.c
tests_bench_journal_bench_LDADD = $(STREAM_LIBS) $(EXTERNAL_LIBS)
