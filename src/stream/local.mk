# Sources of libstream.a, one file a line.
