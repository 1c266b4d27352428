#!/usr/bin/env bash
# Within the container of boot.sh, as root under systemd: the package is installed, serves, is reloaded,
# restarted (and refuses nobody), killed, stopped, woken by its sockets, and purged.
set -u -o pipefail
cd /test || exit 1
touch begun
export PAGER=cat SYSTEMD_COLORS=0
url=http://127.0.0.1:8080/api/v1/runs/hello/stream
runs=/var/lib/runstream/runs

fail() {
	echo "booted.sh: $*"
	systemctl status --no-pager runstreamd.service runstreamd.socket
	journalctl --no-pager -n 60 -u runstreamd.service
	exit 1
}

# wait_for WHAT COMMAND…
wait_for() {
	local until=$((SECONDS + 30)) what=$1
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || fail "waited in vain: $what"
		sleep 0.1
	done
}

logged() { journalctl --no-pager -o cat -u runstreamd.service | grep -q -- "$1"; }
property() { systemctl show -P "$1" runstreamd.service; }
list_files() { find / -xdev \( -path /test -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o \
	-path /tmp -o -path /var/tmp -o -path /var/lib/nginx -o -path /var/lib/systemd \) -prune -o -print |
	grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' | sort; }

# Each is a connection of its own, and must be answered: with a stream, which a worker that is drained
# may end early.
ask() {
	curl -fsS -N --max-time 20 "$url" 2>>asked.log |
		awk '/^event: refused/ { bad = 1 } /^retry:/ { begun = 1 } END { exit bad || !begun }'
}

# To its end.
read_all() {
	curl -fsS -N --max-time 20 "$url" 2>>asked.log | grep -c -e 'event: complete' -e '"line":"two"' | grep -qx 2
}

ask_until_told() {
	local asked=0 refused=0
	while [ ! -e enough ]; do
		ask || refused=$((refused + 1))
		asked=$((asked + 1))
	done
	echo "$asked $refused" >>told
}

# refuses_nobody WHAT COMMAND…: while it is done, three times, somebody asks all the time.
refuses_nobody() {
	local what=$1 asked=0 refused=0 n a r askers=()
	shift
	rm -f enough told
	for n in 1 2 3 4 5 6; do
		ask_until_told &
		askers+=($!)
	done
	for n in 1 2 3; do
		"$@" || fail "$what failed"
		read_all || fail "$what, $n: nobody answers afterwards"
	done
	touch enough
	wait "${askers[@]}"
	while read -r a r; do
		asked=$((asked + a)) refused=$((refused + r))
	done <told
	[ "$refused" = 0 ] || fail "$what: $refused of $asked were refused: $(cat asked.log)"
	echo "$what, three times: none of $asked was refused"
}

list_files >files-before
cp /etc/passwd passwd-before
dpkg -i runstream.deb || fail "dpkg -i failed"
wait_for "it runs" systemctl is-active runstreamd.service
systemctl is-enabled runstreamd.service runstreamd.socket || fail "it is not enabled"
[ "$(property Type) $(property User)" = "notify runstream" ] || fail "it is another unit"
[ "$(property WatchdogUSec)" = 1min ] || fail "there is no watchdog"
wait_for "it tells its status" test "$(property StatusText | grep -c 'Streaming with')" = 1
mapfile -t roots < <(ps -o user= --ppid "$(property MainPID)" -p "$(property MainPID)" | sort -u)
[ "${roots[*]}" = "runstre+" ] || [ "${roots[*]}" = runstream ] || fail "processes of ${roots[*]}"

cat >/etc/nginx/conf.d/test.conf <<'CONF'
include /usr/share/runstream/nginx/upstream.conf;
server {
	listen 127.0.0.1:8080;
	include /usr/share/runstream/nginx/locations.conf;
}
CONF
{ nginx -t && systemctl reload nginx; } || fail "nginx does not take the include files"
install -d -o runstream -g runstream $runs/hello
printf 'one\ntwo\n' >$runs/hello/agent-stdout.txt
printf 'version: 1\nrun_id: hello\nstatus: completed\nexit_code: 0\n' >$runs/hello/run-info.yaml
wait_for "the run is streamed" read_all

# Reloading.
sed -i 's/^server:/api: {sse: {heartbeat_interval_s: 5}}\nserver:/' /etc/runstream/config.yaml
systemctl reload runstreamd || fail "it cannot be reloaded"
logged 'event=reloaded' || fail "nothing was reloaded"
sed -i 's/heartbeat_interval_s/heartbeat_intervall_s/' /etc/runstream/config.yaml
! systemctl reload runstreamd || fail "a bad configuration was taken"
systemctl is-active runstreamd || fail "a bad configuration ended it"
journalctl --no-pager -o cat -u runstreamd.service | grep 'heartbeat_interval_s' |
	grep -q 'config.yaml:' || fail "it does not say what is wrong with the file"
sed -i '/heartbeat_intervall_s/d' /etc/runstream/config.yaml
refuses_nobody "a reload" systemctl reload runstreamd
refuses_nobody "draining all workers" runstreamctl drain
refuses_nobody "a restart" systemctl restart runstreamd

# Killed, it is there again.
main=$(property MainPID)
kill -KILL "$main"
wait_for "it is started again" sh -c "[ \$(systemctl show -P MainPID runstreamd) != $main ] &&
	systemctl is-active runstreamd"
read_all || fail "nobody answers after a kill"
# Stopped, it is woken by who asks.
systemctl stop runstreamd.service || fail "it cannot be stopped"
[ "$(property Result)" = success ] || fail "it ended with $(property Result)"
read_all || fail "its sockets do not wake it"
systemctl is-active runstreamd || fail "it was not woken"

# What is logged has its priority.
journalctl --no-pager -o export -u runstreamd.service | grep -a -q '^PRIORITY=6' || fail "no priorities"
! journalctl --no-pager -o cat -u runstreamd.service | grep -E '^<[0-9]>' || fail "raw priorities"
! logged 'call_refused' || fail "the sandbox is not whole"
! logged 'event=sandbox ' || fail "there is no sandbox"
systemd-analyze security --no-pager runstreamd.service | tail -n 1

rm /etc/nginx/conf.d/test.conf
systemctl reload nginx
dpkg --purge runstream || fail "dpkg --purge failed"
! systemctl cat runstreamd.service 2>/dev/null || fail "there is still a unit"
! pgrep -x runstreamd || fail "it runs although it was purged"
list_files >files-after
{ diff files-before files-after && diff passwd-before /etc/passwd; } || fail "something is left"
touch passed
echo "installed, reloaded, restarted, killed, woken and purged under systemd"
