# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs stages of tests and counts their results. Each stage is one result of the
# TAP that this prints, with the stage's own below it, and has its log in the
# directory that start_stages was given. To be sourced by bash, at the top of
# the tree.

# Seconds for all programs of one stage in a virtual machine, and what else its
# run script is to be told.
vm_timeout=1800
vm_options=()

# The tests' own module lies beside them in the guest.
importer=safer_ring_importer.ko
installed=/safer-ring/build/kselftest/install/safer_ring

stages=0
passed=0
failed=0
skipped=0

# The logs go to directory $1, which is emptied.
start_stages() {
	logs=$1
	rm -rf "$logs"
	mkdir -p "$logs"
	: >"$logs/tally"
	printf 'TAP version 13\n'
}

# Prints the result of stage $1, and adds its tally to the totals. $2 is its
# exit status.
conclude() {
	local name=$1 tally p f s

	tally=$(selftests/check/tally -v status="$2" -v name="$name" \
		"$logs/$name.log")
	printf '%s\n' "$tally" >>"$logs/tally"
	read -r _ p f s <<<"$(head -n 1 <<<"$tally")"
	stages=$((stages + 1))
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		printf 'not ok %d - %s # log: %s\n' "$stages" "$name" \
			"$logs/$name.log"
	elif [ "$p" = 0 ]; then
		printf 'ok %d - %s # SKIP\n' "$stages" "$name"
	else
		printf 'ok %d - %s\n' "$stages" "$name"
	fi
}

# Stage $1: a command that prints TAP.
tap() {
	local name=$1 status=0

	shift
	printf '# %s\n' "$name"
	"$@" </dev/null 2>&1 | tee "$logs/$name.log" | sed -u 's/^/# /' ||
		status=${PIPESTATUS[0]}
	conclude "$name" "$status"
}

# Stage $1: a command whose exit status is its one result.
plain() {
	local name=$1 status=0

	shift
	printf '# %s\n' "$name"
	"$@" </dev/null >"$logs/$name.out" 2>&1 || status=$?
	[ "$status" = 0 ] || tail -n 60 "$logs/$name.out" | sed 's/^/# /'
	{
		echo 1..1
		[ "$status" = 0 ] || printf 'not '
		printf 'ok 1 - %s\n' "$name"
		cat "$logs/$name.out"
	} >"$logs/$name.log"
	rm "$logs/$name.out"
	conclude "$name" 0
	return "$status"
}

# Stage $1: a command that says whether something can be had here. Where it
# can not, its last words are the reason.
can() {
	local name=$1 status=0

	shift
	printf '# %s\n' "$name"
	"$@" </dev/null >"$logs/$name.out" 2>&1 || status=$?
	{
		echo 1..1
		if [ "$status" = 0 ]; then
			printf 'ok 1 - %s\n' "$name"
		else
			printf 'ok 1 - %s # SKIP %s\n' "$name" "$(
				grep -v '^Get:' "$logs/$name.out" |
					tail -n 6 | tr '\n' ' ')"
		fi
		cat "$logs/$name.out"
	} >"$logs/$name.log"
	rm "$logs/$name.out"
	conclude "$name" 0
	return "$status"
}

# Stage $1: a command, in the virtual machine with kernel $2, that prints TAP.
# What became of the machine is a result of its own. It gets the module, with
# vm_params, and the tests' own; vm_options are for its run script.
vm() {
	local name=$1 kernel=$2 status attempt machine

	shift 2
	machine=$name-machine
	# An emulator that fails says nothing of what runs on it.
	for attempt in 1 2 3; do
		printf '# %s\n' "$name"
		status=0
		run_machine "$name" "$kernel" "$*" || status=$?
		[ "$status" = 126 ] || break
		printf '# the emulator failed (%d of 3)\n' "$attempt"
	done
	case $status in
	123 | 124 | 125 | 126) conclude "$name" 0 ;;
	*) conclude "$name" "$status"; status=0 ;;
	esac
	plain "$machine" verdict "$status" "$logs/$machine.err" || true
}

# The run of vm(): stage $1, kernel $2, shell command $3.
run_machine() {
	local name=$1 release

	release=$(readlink "${XDG_CACHE_HOME:-$HOME/.cache}/safer-ring/kernels/$2")
	release=${release##*/}
	selftests/vm/run --quiet --kernel "$release" --timeout "$vm_timeout" \
		--log-dir "$logs/$name-machine" "${vm_options[@]}" \
		--module "build/kmod/$release/safer_ring.ko" \
		--params "${vm_params:-}" --add "$(command -v fio):/usr/bin/fio" \
		--add "build/importer/$release/$importer:$installed/$importer" \
		-- "$3" \
		2>"$logs/$name-machine.err" </dev/null |
		tee "$logs/$name.log" | sed -u 's/^/# /' ||
		return "${PIPESTATUS[0]}"
}

# Whether the machine survived with a clean log; what it had to say is the log.
verdict() {
	cat "$2"
	return "$1"
}

# The skipped results, with one line for all of a stage that have one reason.
list_skipped() {
	sed -n 's/^skipped //p' "$logs/tally" | awk '
	{
		stage = $0
		sub(/: .*/, "", stage)
		what = substr($0, length(stage) + 3)
		reason = "no reason given"
		if (match(what, /\(.*\)$/)) {
			reason = substr(what, RSTART + 1, RLENGTH - 2)
			what = substr(what, 1, RSTART - 2)
		}
		key = stage ": " reason
		if (!(key in count))
			order[++keys] = key
		if (++count[key] <= 3)
			names[key] = names[key] (count[key] > 1 ? ", " : "") what
	}
	END {
		for (i = 1; i <= keys; i++) {
			key = order[i]
			more = count[key] - 3
			more = more > 0 ? " and " more " more" : ""
			printf "#   %s: %d: %s%s\n", key, count[key],
			       names[key], more
		}
	}'
}

# The plan and the totals; fails if a result did.
finish() {
	printf '1..%d\n' "$stages"
	if [ "$skipped" -gt 0 ]; then
		printf '# Skipped, with the reason:\n'
		list_skipped
	fi
	if [ "$failed" -gt 0 ]; then
		printf '# Failed (logs: %s):\n' "$PWD/$logs"
		sed -n 's/^failed /#   /p' "$logs/tally"
	fi
	printf '%d passed, %d failed, %d skipped\n' \
		"$passed" "$failed" "$skipped"
	[ "$failed" = 0 ]
}
