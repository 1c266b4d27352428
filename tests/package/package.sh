#!/usr/bin/env bash
# The Debian package: it is built, lintian has nothing to say, and in a Debian of its own (debootstrap,
# without an init) it is installed, serves a stream through nginx as its units would have it, and is
# purged without a trace. Needs root. What it downloads comes from where apt is configured to.
set -eu -o pipefail

# They would be settings.
unset "${!RUNSTREAM_@}"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "package.sh: this needs root" >&2; exit 1; }
# Mounts are this process's own, and go with it.
[ -n "${IN_OWN_MOUNTS-}" ] || IN_OWN_MOUNTS=yes exec unshare --mount "$0" "$@"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/runstream-package.XXXXXX")
root=$scratch/root
daemon_pid=
nginx_pid=
package=

take_down() {
	local pid
	for pid in $nginx_pid $daemon_pid; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || true
	done
	umount "$root/proc" 2>/dev/null || true
	rm -rf --one-file-system "$scratch"
}
trap take_down EXIT
trap 'exit 1' INT TERM HUP

# shellcheck source=/dev/null
. "$top/tests/package/common.sh"

in_root() { chroot "$root" "$@"; }

# A Debian with what the package depends on, and nginx.
debian() {
	make_debian "$(dependencies systemd-standalone-sysusers),nginx-light,systemd-standalone-tmpfiles"
	mount -t proc proc "$root/proc"
}

install_it() {
	cp "$package" "$root/tmp/runstream.deb"
	list_files >"$scratch/files-before"
	cp "$root/etc/passwd" "$scratch/passwd-before"
	in_root dpkg -i /tmp/runstream.deb >"$scratch/install.log" 2>&1 || fail "dpkg -i failed"
	in_root getent passwd runstream >/dev/null || fail "there is no user runstream"
	[ "$(in_root stat -c %U /run/runstream /var/lib/runstream/runs | sort -u)" = runstream ] ||
		fail "the directories are not the user's"
	for file in /etc/runstream/config.yaml /lib/systemd/system/runstreamd.service \
		/lib/systemd/system/runstreamd.socket /usr/share/runstream/nginx/upstream.conf; do
		[ -s "$root$file" ] || fail "$file is missing"
	done
	[ -z "$(find "$root/etc/nginx" -name '*runstream*')" ] || fail "nginx was changed"
	in_root runstreamctl check-config >>"$scratch/install.log" 2>&1 || fail "the configuration is bad"
}

# As runstreamd.socket and runstreamd.service have it: the sockets' owner and group, the user, the
# options.
start() {
	local sockets=() path listens=()
	mapfile -t sockets < <(sed -n 's/^ListenStream=//p' "$root/lib/systemd/system/runstreamd.socket")
	for path in "${sockets[@]}"; do
		listens+=(--listen="$root$path")
	done
	systemd-socket-activate "${listens[@]}" chroot "$root" setpriv --reuid=runstream --regid=runstream \
		--init-groups runstreamd --foreground --runtime-dir /run/runstream >"$scratch/runstreamd.log" 2>&1 &
	daemon_pid=$!
	for path in "${sockets[@]}"; do
		wait_for 10 "$path" test -S "$root$path"
		in_root chown runstream:www-data "$path"
		chmod 0660 "$root$path"
	done
	cat >"$root/etc/nginx/test.conf" <<-'CONF'
		user www-data;
		daemon off;
		pid /run/nginx-test.pid;
		error_log stderr warn;
		events { worker_connections 100; }
		http {
			access_log off;
			include /usr/share/runstream/nginx/upstream.conf;
			server {
				listen unix:/run/nginx-test.sock;
				include /usr/share/runstream/nginx/locations.conf;
			}
		}
	CONF
	chroot "$root" nginx -c /etc/nginx/test.conf >"$scratch/nginx.log" 2>&1 &
	nginx_pid=$!
	wait_for 10 "nginx listens" test -S "$root/run/nginx-test.sock"
}

stream_a_run() {
	local run=$root/var/lib/runstream/runs/hello
	in_root install -d -o runstream -g runstream /var/lib/runstream/runs/hello
	printf 'one\ntwo\n' >"$run/agent-stdout.txt"
	printf 'version: 1\nrun_id: hello\nstatus: completed\nexit_code: 0\n' >"$run/run-info.yaml"
	chmod 0644 "$run"/*
	curl -sS -N --max-time 30 --unix-socket "$root/run/nginx-test.sock" \
		'http://localhost/api/v1/runs/hello/stream?wait_s=10' >"$scratch/stream.log" 2>&1 ||
		fail "the stream broke off"
	for what in '"line":"one"' '"line":"two"' 'event: complete'; do
		grep -q "$what" "$scratch/stream.log" || fail "not in the stream: $what"
	done
	in_root runstreamctl status >"$scratch/status.log" 2>&1 || fail "runstreamctl status failed"
	! grep -E 'call_refused|sandbox ' "$scratch/runstreamd.log" || fail "the sandbox is not whole"
}

stop_and_purge() {
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	nginx_pid=
	kill "$daemon_pid"
	wait "$daemon_pid" || fail "runstreamd did not end well"
	daemon_pid=
	rm -f "$root/etc/nginx/test.conf" "$root/run/nginx-test.sock"
	in_root dpkg --purge runstream >"$scratch/purge.log" 2>&1 || fail "dpkg --purge failed"
	list_files >"$scratch/files-after"
	# Folders that nginx makes as it starts are its own.
	diff "$scratch/files-before" "$scratch/files-after" | grep '^[<>]' | grep -v ' \./var/lib/nginx/' \
		>"$scratch/left.log" && fail "purging left, or took, something"
	diff "$scratch/passwd-before" "$root/etc/passwd" >"$scratch/passwd.log" || fail "a user is left"
}

build
debian
install_it
start
stream_a_run
stop_and_purge
echo "package.sh: $(basename "$package") was built, installed, used and purged"
