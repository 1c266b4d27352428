# A fuzz target is tests/fuzz/fuzz_x.c with LLVMFuzzerTestOneInput. Configured with
# --enable-fuzzing it is linked with libFuzzer and run by tests/fuzz/run.sh; otherwise with
# replay_main.c, and `make check` replays the files of tests/fuzz/seeds/x. For each target:
#
#   check_PROGRAMS += tests/fuzz/fuzz_x
#   tests_fuzz_fuzz_x_SOURCES = tests/fuzz/fuzz_x.c $(FUZZ_MAIN)
#   tests_fuzz_fuzz_x_LDFLAGS = $(FUZZ_LINK)
#   tests_fuzz_fuzz_x_LDADD = $(LAYER_LIBS) $(EXTERNAL_LIBS)
#   FUZZ_TARGETS += tests/fuzz/fuzz_x
#
# in a fragment of its layer, included below.
EXTRA_DIST += tests/fuzz/seeds
dist_noinst_SCRIPTS += tests/fuzz/run.sh
FUZZ_TARGETS =
if FUZZING
FUZZ_MAIN = tests/fuzz/fuzz.h
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay_main.c tests/fuzz/fuzz.h
FUZZ_LINK = $(AM_LDFLAGS)
TESTS += $(FUZZ_TARGETS)
endif

include tests/fuzz/conf.mk
include tests/fuzz/model.mk
EXTRA_DIST += tests/fuzz/cursor.dict tests/fuzz/event_line.dict tests/fuzz/event_request.dict tests/fuzz/fastcgi.dict tests/fuzz/json_text.dict tests/fuzz/message.dict tests/fuzz/sse_reader.dict tests/fuzz/target.dict
include tests/fuzz/run_info.mk
