# Files and targets of tests/bench.
