# Files and targets of tests/system.
