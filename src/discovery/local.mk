noinst_LIBRARIES += libdiscovery.a
libdiscovery_a_SOURCES = \
	src/discovery/discovery.c src/discovery/discovery.h \
	src/discovery/folders.c \
	src/discovery/info.c \
	src/discovery/runs.c \
	src/discovery/scan.c \
	src/discovery/state.h \
	src/discovery/watch.c
