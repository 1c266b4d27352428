# Sources of libsupervisor.a, one file a line.
