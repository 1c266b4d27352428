noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/file_fingerprint.c src/store/file_fingerprint.h \
	src/store/file_identity.c src/store/file_identity.h \
	src/store/recording.c src/store/recording.h \
	src/store/recording_cache.c src/store/recording_cache.h \
	src/store/recording_create.c \
	src/store/recording_file.c src/store/recording_file.h \
	src/store/recording_read.c \
	src/store/run_dir.c src/store/run_dir.h \
	src/store/run_info.c src/store/run_info.h \
	src/store/run_info_keys.h \
	src/store/run_info_write.c \
	src/store/trail_dir.c src/store/trail_dir.h
