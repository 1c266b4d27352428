# One program per module, in a fragment per layer. Programs are built for `make check` only.
UNIT_LIBS = $(EXTERNAL_LIBS) $(CHECK_LIBS)
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) -Wno-missing-prototypes -Wno-switch-enum
if TESTS_ENABLED
include tests/unit/base.mk
include tests/unit/model.mk
include tests/unit/conf.mk
include tests/unit/store.mk
include tests/unit/shm.mk
include tests/unit/follow.mk
include tests/unit/stream.mk
include tests/unit/discovery.mk
include tests/unit/worker.mk
include tests/unit/admin.mk
include tests/unit/supervisor.mk
endif
