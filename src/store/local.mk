noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/run_dir.c src/store/run_dir.h
