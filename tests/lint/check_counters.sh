#!/bin/sh
# The list of figures and runstream-metrics(7) say the same; alert rules name what exists. Run by `make check`.
top=${srcdir:-.}
exec tests/lint/check_counters "$top/man/runstream-metrics.7" "$top/etc/runstream.rules.yml"
