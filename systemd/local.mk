# Units, and who and what they need. Units name the folders of the programs, which only make knows.
nodist_systemdsystemunit_DATA = systemd/runstreamd.service
dist_systemdsystemunit_DATA = systemd/runstreamd.socket
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
EXTRA_DIST += systemd/runstreamd.service.in systemd/runstream.sysusers.conf \
	systemd/runstream.tmpfiles.conf
CLEANFILES += systemd/runstreamd.service

systemd/runstreamd.service: $(srcdir)/systemd/runstreamd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
	$(SED) -e 's|[@]sbindir[@]|$(sbindir)|' -e 's|[@]bindir[@]|$(bindir)|' \
		$(srcdir)/systemd/runstreamd.service.in >$@.new && mv $@.new $@

# Both are to be named runstream.conf.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) $(srcdir)/systemd/runstream.sysusers.conf '$(DESTDIR)$(sysusersdir)/runstream.conf'
	$(INSTALL_DATA) $(srcdir)/systemd/runstream.tmpfiles.conf '$(DESTDIR)$(tmpfilesdir)/runstream.conf'

uninstall-local:
	rm -f '$(DESTDIR)$(sysusersdir)/runstream.conf' '$(DESTDIR)$(tmpfilesdir)/runstream.conf'
