noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/buf.c src/base/buf.h \
	src/base/clock.c src/base/clock.h \
	src/base/episode.c src/base/episode.h \
	src/base/fd.c src/base/fd.h \
	src/base/landlock.c src/base/landlock.h \
	src/base/log.c src/base/log.h \
	src/base/log_flood.c src/base/log_flood.h \
	src/base/logfmt.c src/base/logfmt.h \
	src/base/loop.c src/base/loop.h \
	src/base/must.c src/base/must.h \
	src/base/nearest.c src/base/nearest.h \
	src/base/num.c src/base/num.h \
	src/base/offload.c src/base/offload.h \
	src/base/option_mistake.c src/base/option_mistake.h \
	src/base/syscall_filter.c src/base/syscall_filter.h
