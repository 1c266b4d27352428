#!/bin/sh
# The key table, runstream.yaml(5) and etc/config.yaml say the same.
exec tests/lint/check_keys "$srcdir/man/runstream.yaml.5" "$srcdir/etc/config.yaml"
