noinst_LIBRARIES += libdiscovery.a
libdiscovery_a_SOURCES = \
	src/discovery/bells.c \
	src/discovery/buses.c \
	src/discovery/calls.c \
	src/discovery/candidates.c \
	src/discovery/discovery.c src/discovery/discovery.h \
	src/discovery/errands.c \
	src/discovery/folders.c \
	src/discovery/hints.c \
	src/discovery/info.c \
	src/discovery/paths.c \
	src/discovery/root.c \
	src/discovery/runs.c \
	src/discovery/scan.c \
	src/discovery/state.h src/discovery/trails.c \
	src/discovery/turns.c \
	src/discovery/watch.c
