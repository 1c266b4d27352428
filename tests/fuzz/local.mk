# Files and targets of tests/fuzz.
