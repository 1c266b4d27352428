noinst_LIBRARIES += libsupervisor.a
libsupervisor_a_SOURCES = \
	src/supervisor/assignment.c src/supervisor/assignment.h \
	src/supervisor/back_off.c src/supervisor/back_off.h \
	src/supervisor/child.c src/supervisor/child.h \
	src/supervisor/client_orders.c src/supervisor/client_orders.h \
	src/supervisor/control.c src/supervisor/control.h \
	src/supervisor/daemonize.c src/supervisor/daemonize.h \
	src/supervisor/health.c src/supervisor/health.h \
	src/supervisor/notify.c src/supervisor/notify.h \
	src/supervisor/options.c src/supervisor/options.h \
	src/supervisor/pool.c src/supervisor/pool.h src/supervisor/pool_parts.h \
	src/supervisor/pool_replace.c \
	src/supervisor/pool_sockets.c \
	src/supervisor/privileges.c src/supervisor/privileges.h \
	src/supervisor/reload.c src/supervisor/reload.h \
	src/supervisor/runtime_dir.c src/supervisor/runtime_dir.h \
	src/supervisor/sandbox.c src/supervisor/sandbox.h \
	src/supervisor/segments.c src/supervisor/segments.h \
	src/supervisor/sockets.c src/supervisor/sockets.h \
	src/supervisor/state_dir.c src/supervisor/state_dir.h \
	src/supervisor/status.c src/supervisor/status.h \
	src/supervisor/supervisor.c src/supervisor/supervisor.h \
	src/supervisor/watchdog.c src/supervisor/watchdog.h

sbin_PROGRAMS += runstreamd
runstreamd_SOURCES = src/runstreamd.c
runstreamd_LDADD = $(SUPERVISOR_LIBS) $(SECCOMP_LIBS) $(EXTERNAL_LIBS) $(FCGI_LIBS)
