# How fast a run is found: build and run tests/bench/registry_bench.
check_PROGRAMS += tests/bench/registry_bench
tests_bench_registry_bench_SOURCES = tests/bench/registry_bench.c
tests_bench_registry_bench_LDADD = $(SHM_LIBS) $(XXHASH_LIBS)
