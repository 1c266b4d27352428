EXTRA_DIST += tests/package/common.sh tests/package/package.sh tests/package/boot.sh tests/package/booted.sh
