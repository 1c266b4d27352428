noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/recording.h \
	src/store/run_dir.c src/store/run_dir.h \
	src/store/run_info.c src/store/run_info.h \
	src/store/run_info_keys.h \
	src/store/run_info_write.c
