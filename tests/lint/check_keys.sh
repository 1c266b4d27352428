#!/bin/sh
# The key table, runstream.yaml(5) and etc/config.yaml say the same. Run by `make check`.
top=${srcdir:-.}
exec tests/lint/check_keys "$top/man/runstream.yaml.5" "$top/etc/config.yaml"
