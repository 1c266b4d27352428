#!/bin/sh
# Runs each fuzz target for SECONDS, one after another, in a build configured with
#   CC=clang ./configure --enable-fuzzing --enable-sanitizers
# What is found on the way (the corpus, and inputs that crash) stays in FOLDER, by default
# fuzz-work in the build. Ends with 1 when any target crashed, hung or leaked.
#
#   tests/fuzz/run.sh SECONDS [--build DIR] [--work FOLDER] [TARGET…]
set -eu

usage() {
	sed -n 's/^#   tests/usage: tests/p' "$0" >&2
	exit 2
}

sources=$(cd "$(dirname "$0")" && pwd)
build=.
work=
[ $# -ge 1 ] || usage
seconds=$1
shift
case $seconds in
'' | *[!0-9]*) usage ;;
esac
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=${2:?}; shift 2 ;;
	--work) work=${2:?}; shift 2 ;;
	-*) usage ;;
	*) break ;;
	esac
done
[ -n "$work" ] || work=$build/fuzz-work

if [ $# -eq 0 ]; then
	for source in "$sources"/fuzz_*.c; do
		target=${source##*/fuzz_}
		set -- "$@" "${target%.c}"
	done
fi

failed=
for target; do
	program=$build/tests/fuzz/fuzz_$target
	if ! "$program" -help=1 2>&1 | grep -q max_total_time; then
		echo "$program: not built with libFuzzer (--enable-fuzzing, then make check)" >&2
		exit 1
	fi
	mkdir -p "$work/$target" "$work/crashes"
	echo "fuzz_$target: $seconds s"
	dictionary=$sources/$target.dict
	[ -f "$dictionary" ] || dictionary=
	log=$work/$target.log
	if "$program" -max_total_time="$seconds" -timeout=60 -report_slow_units=5 \
		-rss_limit_mb=1024 -max_len=70000 \
		-len_control=20 -print_final_stats=1 -artifact_prefix="$work/crashes/$target-" \
		${dictionary:+"-dict=$dictionary"} \
		"$work/$target" "$sources/seeds/$target" >"$log" 2>&1; then
		sed -n 's/^stat::number_of_executed_units: */  runs: /p; s/^stat::new_units_added: */  new inputs: /p' "$log"
	else
		tail -n 40 "$log" >&2
		failed="$failed $target"
	fi
	# What took long may have waited for a processor: what counts is the time it takes of one.
	for slow in "$work/crashes/$target"-slow-unit-*; do
		[ -f "$slow" ] || continue
		if prlimit --cpu=5 "$program" "$slow" >"$log.slow" 2>&1; then
			rm "$slow"
		else
			echo "fuzz_$target takes more than 5 s for $slow" >&2
			failed="$failed $target"
		fi
	done
done
if [ -n "$failed" ]; then
	echo "failed:$failed (inputs in $work/crashes)" >&2
	exit 1
fi
