#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the bench and makes its page.
#
# usage: run_benchmarks.sh [--full] [--compare BASE] [--output DIR] [ROW]
#
#   --full          everything, and longer: 40 minutes at most, 5 otherwise
#   --compare BASE  also measure this build beside that of the commit BASE
#   --output DIR    where results.json and report.html go (build/bench/report)
#   ROW             only rows and groups whose names begin so
#
# Exit status: 0 if no goal is missed, 1 if one is, 2 if it could not be run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
cd "$top"

build=${BUILD:-build}
output=
base=
mode=quick
row=

usage() {
	sed -n '3,14s/^# \{0,1\}//p' "$here/run_benchmarks.sh"
}

die() {
	printf 'run_benchmarks.sh: %s\n' "$1" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--full) mode=full ;;
	--compare) base=${2:?--compare needs a commit}; shift ;;
	--output) output=${2:?--output needs a directory}; shift ;;
	-h | --help) usage; exit 0 ;;
	-*) usage >&2; exit 2 ;;
	*) row=$1 ;;
	esac
	shift
done

bench=$build/bench/saferring-bench
[ -x "$bench" ] || die "$bench is not built: make bench-program"
output=${output:-$build/bench/report}
mkdir -p "$output"
results=$output/results.json
# What was measured before, here: the page shows trends of it.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/safer-ring
history=$cache/bench-history.json
scratch=$(mktemp -d "$output/scratch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# jemalloc wants more static TLS than a program has to spare.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.rtld.optional_static_tls=16384}

commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
printf '{"kind":"run","name":"run","date":"%s","commit":"%s","mode":"%s"}\n' \
	"$(date -u '+%Y-%m-%d %H:%M UTC')" "$commit" "$mode" >"$results"

missed=0
measure() {
	local options=(--json "$results" --directory "$scratch")

	[ "$mode" = quick ] || options+=(--full)
	[ -z "$row" ] || options+=("$row")
	"$bench" "${options[@]}"
}

began=$SECONDS
printf '# instructions, by callgrind\n'
if ! "$here/gate" --build "$build" --ratios never --json "$results" ${row:+"$row"} \
	>"$scratch/gate"; then
	grep -E '^not ok|^#  ' "$scratch/gate" || true
	grep -q '^not ok' "$scratch/gate" && missed=1
	grep 'SKIP' "$scratch/gate" || true
fi
grep -c '^# goal missed' "$scratch/gate" |
	sed 's/$/ goals on instructions are missed/; s/^/# /'
printf '# time, in pairs\n'
measure || missed=$?
[ "$missed" -lt 2 ] || exit 2
if [ -n "$base" ]; then
	printf '# beside %s\n' "$base"
	"$here/compare" --build "$build" --json "$results" "$base" \
		${row:+"$row"} || missed=$?
fi

# A run of everything is one of the history.
if [ -z "$row" ]; then
	mkdir -p "$cache"
	"$here/history" "$results" >>"$history"
fi
flame=()
if "$here/flamegraph" --build "$build" "$scratch/flame.svg"; then
	cp "$scratch/flame.svg" "$output/flamegraph.svg"
	flame=(--flame "$output/flamegraph.svg")
fi
"$here/report" --history "$history" --cost selftests/cost/COST.md \
	"${flame[@]}" "$results" "$output/report.html"
printf '# %d s; the page: %s\n' $((SECONDS - began)) "$output/report.html"
exit "$missed"
