# Sources of libmodel.a, one file a line.
