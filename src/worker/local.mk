# Sources of libworker.a, one file a line.
