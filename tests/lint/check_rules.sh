#!/bin/sh
# The alert rules: each fires when it should, and not for an instance that is well. Run by `make check`
# where promtool is; whether they name metrics that exist is check_counters' care.
top=${srcdir:-.}
if ! command -v promtool >/dev/null 2>&1; then
	echo "promtool is not installed (Debian package prometheus)"
	exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cp "$top/etc/runstream.rules.yml" "$top/tests/lint/runstream.rules.test.yml" "$folder" || exit 1
promtool check rules "$folder/runstream.rules.yml" || exit 1
promtool test rules "$folder/runstream.rules.test.yml" || exit 1
# One that nobody tests would be found missing there.
sed -n 's/^ *- alert: //p' "$folder/runstream.rules.yml" | while read -r alert; do
	grep -q "alertname=\"$alert\"" "$folder/runstream.rules.test.yml" || {
		echo "$alert is not tested"
		exit 1
	}
done
