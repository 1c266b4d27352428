# A soak with chaos: `make soak`, or `make soak MINUTES=60 SEED=7`; SOAKFLAGS has options of
# soak.py. `make check` only tests that its verdict notices what it is there to notice.
SOAK_FILES = \
	tests/soak/chaos.py \
	tests/soak/clients.py \
	tests/soak/control.py \
	tests/soak/lines.py \
	tests/soak/producers.py \
	tests/soak/soak.py \
	tests/soak/verdict.py \
	tests/soak/writers.py
TESTS += tests/soak/test_verdict.py
EXTRA_DIST += $(SOAK_FILES) tests/soak/test_verdict.py

MINUTES = 1
SEED =
SOAKFLAGS =
.PHONY: soak
soak: runstreamd$(EXEEXT) runstreamctl$(EXEEXT)
	PYTHONDONTWRITEBYTECODE=1 RUNSTREAM_BUILDDIR='$(abs_top_builddir)' \
		$(PYTHON) $(srcdir)/tests/soak/soak.py --minutes='$(MINUTES)' --seed='$(SEED)' $(SOAKFLAGS)
