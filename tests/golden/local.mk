# Files and targets of tests/golden.
