# Sources of libstore.a, one file a line.
