include tests/unit/local.mk
include tests/golden/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/lint/local.mk
include tests/system/local.mk
