# Faults of system calls: a library that is loaded before the C library (rules.h), and what is to
# be true while calls fail, and afterwards. One topic by hand: python3 tests/fault/test_disk.py
FAULT_TESTS = \
	tests/fault/test_descriptors.py \
	tests/fault/test_disk.py \
	tests/fault/test_files.py \
	tests/fault/test_hung_folders.py \
	tests/fault/test_inotify.py \
	tests/fault/test_memory.py \
	tests/fault/test_runs_dir.py
TESTS += $(FAULT_TESTS)
EXTRA_DIST += tests/fault/faults.py $(FAULT_TESTS)

check_PROGRAMS += tests/fault/faults.so
tests_fault_faults_so_SOURCES = tests/fault/rules.h tests/fault/rules.c tests/fault/calls.c
if !SANITIZERS
tests_fault_faults_so_SOURCES += tests/fault/memory.c
endif
# None of the program's own flags: it is loaded into that as it is.
tests_fault_faults_so_CFLAGS = -std=gnu11 -fPIC -Wall -Wextra
tests_fault_faults_so_LDFLAGS = -shared
