# Benchmarks: `make bench`, or `make bench BENCH="latency burst"` for some of them; BENCHFLAGS
# has options of bench.py. `make check` only tests that the load generator notices what it is
# there to notice.
check_PROGRAMS += \
	tests/bench/event_load \
	tests/bench/sse_load \
	tests/bench/log_writer \
	tests/bench/null_peer \
	tests/bench/stat_loop
BENCH_LINE = tests/bench/line.c tests/bench/line.h
tests_bench_sse_load_SOURCES = tests/bench/sse_load.c $(BENCH_LINE) \
	tests/bench/histogram.c tests/bench/histogram.h \
	tests/bench/sse_reader.c tests/bench/sse_reader.h \
	tests/bench/tally.c tests/bench/tally.h
tests_bench_sse_load_LDADD = $(BASE_LIBS) $(JSON_C_LIBS)
tests_bench_event_load_SOURCES = tests/bench/event_load.c $(BENCH_LINE) \
	tests/bench/histogram.c tests/bench/histogram.h
tests_bench_event_load_LDADD = $(BASE_LIBS) $(JSON_C_LIBS)
tests_bench_log_writer_SOURCES = tests/bench/log_writer.c $(BENCH_LINE)
tests_bench_log_writer_LDADD = $(BASE_LIBS)
tests_bench_null_peer_SOURCES = tests/bench/null_peer.c $(BENCH_LINE)
tests_bench_null_peer_LDADD = $(BASE_LIBS)
TESTS += tests/bench/test_sse_load.py
EXTRA_DIST += \
	tests/bench/bench.py \
	tests/bench/discovery_cost.py \
	tests/bench/many_streams.py \
	tests/bench/message_bus.py \
	tests/bench/of_all_runs.py \
	tests/bench/procfs.py \
	tests/bench/recording.py \
	tests/bench/servers.py \
	tests/bench/slow_clients.py \
	tests/bench/test_sse_load.py

# Of single modules, by hand.
include tests/bench/escape.mk
include tests/bench/journal.mk
include tests/bench/registry.mk

BENCH =
BENCHFLAGS =
BENCH_NEEDS = \
	runstreamd$(EXEEXT) \
	runstreamctl$(EXEEXT) \
	tests/bench/event_load$(EXEEXT) \
	tests/bench/sse_load$(EXEEXT) \
	tests/bench/log_writer$(EXEEXT) \
	tests/bench/null_peer$(EXEEXT) \
	tests/bench/stat_loop$(EXEEXT)
.PHONY: bench
bench: $(BENCH_NEEDS)
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) $(srcdir)/tests/bench/bench.py --builddir=. \
		--json=bench.json $(BENCHFLAGS) $(BENCH)
CLEANFILES += bench.json
