# Sources of libshm.a, one file a line.
