# Files and targets of tests/lint.
