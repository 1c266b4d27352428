# Sources of libdiscovery.a, one file a line.
