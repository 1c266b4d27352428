# Sources of libconf.a, one file a line.
