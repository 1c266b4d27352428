EXTRA_DIST += tests/package/package.sh
