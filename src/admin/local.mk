# Sources of libadmin.a, one file a line.
