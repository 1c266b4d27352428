# A real browser: playwright-core from npm drives Debian's chromium; and eventsource from npm. The
# modules are installed in the build, by a target of its own since it needs the network.
TESTS += tests/browser/test_browser.py
BROWSER_FILES = tests/browser/package.json tests/browser/package-lock.json
EXTRA_DIST += $(BROWSER_FILES) tests/browser/browser.mjs tests/browser/events.mjs \
	tests/browser/package_client.mjs tests/browser/test_browser.py

browser-modules: tests/browser/node_modules/.stamp
# Those of the source: their copies in the build are older than what they were copied from.
tests/browser/node_modules/.stamp: $(srcdir)/tests/browser/package.json \
		$(srcdir)/tests/browser/package-lock.json
	$(AM_V_GEN)$(MKDIR_P) tests/browser
	$(AM_V_at)test $(srcdir) = . || cp $(srcdir)/tests/browser/package*.json tests/browser/
	$(AM_V_at)cd tests/browser && npm ci --no-audit --no-fund --ignore-scripts
	$(AM_V_at)touch $@
clean-browser-modules:
	-rm -rf tests/browser/node_modules
	-test $(srcdir) = . || rm -f tests/browser/package.json tests/browser/package-lock.json
distclean-local: clean-browser-modules
.PHONY: browser-modules clean-browser-modules
