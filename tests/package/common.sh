# What the scripts here share: a package that was built, and a Debian for it. Sourced by them, with
# $top, $scratch and $root set. TEST_PACKAGE names a package that was built before, TEST_DEBIAN a folder
# that debootstrap made before, of which a copy is taken.
# shellcheck shell=bash disable=SC2154

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	for log in "$scratch"/*.log; do
		printf -- '--- %s\n' "${log##*/}" >&2
		tail -n 30 "$log" >&2
	done
	exit 1
}

# wait_for SECONDS WHAT COMMAND…
wait_for() {
	local until=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || fail "waited in vain: $what"
		sleep 0.1
	done
}

build() {
	package=${TEST_PACKAGE-}
	[ -z "$package" ] || return 0
	mkdir "$scratch/source"
	# Nothing that was generated in the tree.
	git -C "$top" ls-files -z --cached --others --exclude-standard |
		(cd "$top" && tar --null --ignore-failed-read -T - -c) | tar -x -C "$scratch/source"
	(cd "$scratch/source" && dpkg-buildpackage -us -uc -b) >"$scratch/build.log" 2>&1 ||
		fail "dpkg-buildpackage failed"
	package=$(echo "$scratch"/runstream_*.deb)
	lintian --allow-root --fail-on error,warning,info "$scratch"/runstream_*.changes \
		>"$scratch/lintian.log" 2>&1 || fail "lintian has something to say"
}

# What the package depends on, as debootstrap takes it.
dependencies() {
	dpkg-deb -f "$package" Depends | tr , '\n' |
		sed -e "s/.*systemd-standalone-sysusers.*/$1/" -e 's/[(|].*//' -e 's/ //g' | paste -s -d,
}

# make_debian PACKAGE,…: one of its own in $root, with these.
make_debian() {
	local codename mirror
	if [ -n "${TEST_DEBIAN-}" ]; then
		cp -a "$TEST_DEBIAN" "$root"
		return
	fi
	# shellcheck disable=SC1091 # a file of the system's
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	# shellcheck disable=SC2016 # apt's own words
	mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
		awk -v codename="$codename" '$1 == codename { print $2; exit }')
	[ -n "$mirror" ] || fail "apt knows no mirror of $codename"
	debootstrap --variant=minbase --include="$1" "$codename" "$root" "$mirror" \
		>"$scratch/debootstrap.log" 2>&1 || fail "debootstrap failed"
}

# Every file there is, but for the notes of dpkg and of those who keep users.
list_files() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./var/lib/dpkg -o -path ./var/log -o \
		-path ./var/cache -o -path ./tmp \) -prune -o -print | grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' | sort)
}
