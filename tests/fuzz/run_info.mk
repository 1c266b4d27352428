check_PROGRAMS += tests/fuzz/fuzz_run_info
tests_fuzz_fuzz_run_info_SOURCES = tests/fuzz/fuzz_run_info.c $(FUZZ_MAIN)
tests_fuzz_fuzz_run_info_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_run_info_LDADD = $(STORE_LIBS) $(EXTERNAL_LIBS)
FUZZ_TARGETS += tests/fuzz/fuzz_run_info
