# For each module:
#   check_PROGRAMS += tests/unit/test_x
#   TESTS += tests/unit/test_x
#   tests_unit_test_x_CFLAGS = $(UNIT_CFLAGS)
#   tests_unit_test_x_LDADD = $(LAYER_LIBS) $(UNIT_LIBS)
