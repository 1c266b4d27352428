#!/usr/bin/env bash
# The Debian package under a real systemd: a Debian of its own (debootstrap) is booted in a container
# (systemd-nspawn), and booted.sh has its say in there. Needs root; where nothing can be booted it is
# skipped (77).
set -eu -o pipefail

unset "${!RUNSTREAM_@}"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "boot.sh: this needs root" >&2; exit 1; }
command -v systemd-nspawn >/dev/null || { echo "boot.sh: there is no systemd-nspawn" >&2; exit 77; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/runstream-boot.XXXXXX")
root=$scratch/root
container=
package=

take_down() {
	[ -z "$container" ] || kill "$container" 2>/dev/null || true
	[ -z "$container" ] || wait "$container" || true
	rm -rf --one-file-system "$scratch"
}
trap take_down EXIT
trap 'exit 1' INT TERM HUP

# shellcheck source=/dev/null
. "$top/tests/package/common.sh"

build
make_debian "$(dependencies systemd),systemd-sysv,dbus,nginx-light,curl,procps"
mkdir -p "$root/test"
cp "$package" "$root/test/runstream.deb"
cp "$top/tests/package/booted.sh" "$root/test/"
cat >"$root/etc/systemd/system/booted.service" <<'UNIT'
[Unit]
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/bash /test/booted.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=file:/test/booted.log
StandardError=inherit
TimeoutStartSec=300
UNIT
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -s ../booted.service "$root/etc/systemd/system/default.target.wants/"
systemd-nspawn --quiet --directory="$root" --machine="runstream-$$" --register=no --keep-unit \
	--system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' \
	--private-network --boot </dev/null >"$scratch/console.log" 2>&1 &
container=$!
for ((n = 0; n < 600; n++)); do
	[ ! -e "$root/test/begun" ] || break
	kill -0 "$container" 2>/dev/null || break
	sleep 0.1
done
if [ ! -e "$root/test/begun" ]; then
	tail -n 20 "$scratch/console.log" >&2
	echo "boot.sh: nothing can be booted here" >&2
	exit 77
fi
wait_for 300 "the container ends" test ! -d "/proc/$container"
container=
cat "$root/test/booted.log"
[ -e "$root/test/passed" ] || fail "it did not pass under systemd"
