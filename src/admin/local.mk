# Sources of libadmin.a, one file a line.
noinst_LIBRARIES += libadmin.a
libadmin_a_SOURCES = \
	src/admin/broadcast.c \
	src/admin/check_config.c \
	src/admin/client.c src/admin/client.h \
	src/admin/clients.c \
	src/admin/command.c src/admin/command.h \
	src/admin/command_help.c \
	src/admin/commands.c \
	src/admin/drain.c \
	src/admin/exec.c \
	src/admin/exec_child.c src/admin/exec_child.h \
	src/admin/exec_instance.c src/admin/exec_instance.h \
	src/admin/exec_pty.c src/admin/exec_pty.h \
	src/admin/exec_record.c src/admin/exec_record.h \
	src/admin/exec_stream.c src/admin/exec_stream.h \
	src/admin/exec_terminal.c src/admin/exec_terminal.h \
	src/admin/kick.c \
	src/admin/nginx_config.c \
	src/admin/nginx_templates.c src/admin/nginx_templates.h \
	src/admin/output.c src/admin/output.h \
	src/admin/output_table.c src/admin/output_table.h \
	src/admin/printable.c src/admin/printable.h \
	src/admin/reload.c \
	src/admin/run_folder.c src/admin/run_folder.h \
	src/admin/runs.c \
	src/admin/status.c \
	src/admin/status_counters.c src/admin/status_counters.h \
	src/admin/stop.c \
	src/admin/tail.c src/admin/tail.h \
	src/admin/tail_local.c \
	src/admin/tail_printer.c src/admin/tail_printer.h \
	src/admin/view.c src/admin/view.h
if LIBCURL
libadmin_a_SOURCES += \
	src/admin/http_get.c src/admin/http_get.h \
	src/admin/tail_url.c
endif

bin_PROGRAMS += runstreamctl
runstreamctl_SOURCES = src/runstreamctl.c
runstreamctl_LDADD = $(ADMIN_LIBS) $(ADMIN_EXTERNAL_LIBS)
