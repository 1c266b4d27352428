# A real browser: playwright-core from npm drives Debian's chromium.
