#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make check-debug-planted: plants one bug at a time in a copy of the module, and
# proves that the debug lane finds it, by the report that is to be expected. The
# module as it is must pass the same tests. Prints TAP.
#
# usage: planted.sh [BUG...]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cd "$top"
# shellcheck source=selftests/vm/common.sh
. "$here/common.sh"

tests=build/kselftest/install/safer_ring
work=build/planted
count=0
failed=0
kernel=$CACHE/kernels/debug
release=$(readlink "$kernel") || die "no debug kernel: 'make kernel-debug'"

# A bug is a file of the module, a sed script that puts the bug in it, the tests
# that go there, and what must be said: a pattern for one line of the kernel's
# log, of what the tests print, or of what the harness says.
bugs=(none missing-put missing-free missing-pages missing-lock sleep-under-lock
	use-after-free off-by-one out-of-bounds)
declare -A file script runs report

# A region's reference that a closed export keeps: it never goes.
file[missing-put]=kmod/share.c
script[missing-put]='/^static int sring_share_release/,/^}/{
	/sring_region_put/d
}'
runs[missing-put]=share
report[missing-put]='module could not be unloaded: .*still in use'

# A slot that nobody knows any more.
file[missing-free]=kmod/context.c
script[missing-free]='/^static void sring_slot_free/,/^}/{
	/kfree(slot)/d
}'
runs[missing-free]=query
report[missing-free]='unreferenced object .*size (64|96|128)'

# Folios of regions that are gone.
file[missing-pages]=kmod/region.c
script[missing-pages]='/^u64 sring_region_reap/,/^}/{
	s/sring_backend_give_back(folio)/cond_resched()/
}'
# Huge ones go through the cache, small ones do not.
runs[missing-pages]=alloc
report[missing-pages]='BUG: safer_ring: [0-9]+ pages of regions are left'

# FREE changes the table without its lock.
file[missing-lock]=kmod/context.c
script[missing-lock]='/^struct sring_slot \*sring_slot_take/,/^}/{
	/xa_lock(/d
	/xa_unlock(/d
}'
runs[missing-lock]=query
# What is inlined into what is the compiler's affair.
report[missing-lock]='WARNING: .* sring_(slot|context)_|WARNING: suspicious RCU usage'

# An allocation that may sleep, below a spinlock.
file[sleep-under-lock]=kmod/quota.c
script[sleep-under-lock]='s/^\tfresh = kzalloc.*/\tspin_lock(\&sring_quota_lock);\n&\n\tspin_unlock(\&sring_quota_lock);/'
runs[sleep-under-lock]=query
report[sleep-under-lock]='BUG: sleeping function called from invalid context|BUG: Invalid wait context'

# A slot is looked at once more after it was freed.
file[use-after-free]=kmod/context.c
script[use-after-free]='/^static void sring_slot_free/,/^}/{
	s/sring_region_put(slot->region)/kfree(slot)/
	t
	s/kfree(slot)/sring_region_put(slot->region)/
}'
runs[use-after-free]=query
report[use-after-free]='BUG: KASAN: slab-use-after-free in sring_'

# A mapping may be one page longer than the region.
file[off-by-one]=kmod/region.c
script[off-by-one]='s/vma_pages(vma) > pages - vma->vm_pgoff/vma_pages(vma) - 1 > pages - vma->vm_pgoff/'
runs[off-by-one]=mmap
report[off-by-one]='^# not ok .*the_last_page_can_be_mapped_and_the_one_behind'

# One generation too many is written.
file[out-of-bounds]=kmod/generation.c
script[out-of-bounds]='s/i < slots; i++/i <= slots; i++/'
runs[out-of-bounds]=control
report[out-of-bounds]='BUG: KASAN: vmalloc-out-of-bounds in sring_'

# Builds the module with bug $1 in directory $2.
build() {
	local bug=$1 dir=$2 target

	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild kmod include "$dir"
	if [ "$bug" != none ]; then
		target=$dir/${file[$bug]}
		sed -i "${script[$bug]}" "$target"
		! diff -u "${file[$bug]}" "$target" >"$dir/diff" ||
			die "$bug: ${file[$bug]} has changed, and the sed script
does not fit any more"
	fi
	make -s -C "$kernel/build" M="$PWD/$dir" modules \
		>"$dir/build.log" 2>&1 || {
		cat "$dir/build.log" >&2
		die "$bug: the module could not be built (see above)"
	}
}

# Runs tests $2 with the module of directory $1; all that is said is there.
try() {
	local dir=$1 name programs=() status=0

	for name in $2; do
		programs+=("$tests/$name")
	done
	"$here/run" --quiet --kernel "$release" --no-disk --panic-on-warn \
		--timeout 900 --unload-timeout 5 --log-dir "$dir" \
		--module "$dir/safer_ring.ko" -- "
		selftests/check/programs -t 600 ${programs[*]}; status=\$?
		selftests/check/leaks || status=1
		exit \$status" </dev/null >"$dir/tests.log" \
		2>"$dir/said.log" || status=$?
	return "$status"
}

# Result: that bug $1 is found or, for none, that nothing is.
prove() {
	local bug=$1 dir=$work/$1 status=0 found='' ok=''

	build "$bug" "$dir"
	try "$dir" "${runs[$bug]}" || status=$?
	if [ "$bug" = none ]; then
		[ "$status" = 0 ] && ok=yes
		found="exit status $status"
	else
		found=$(grep -hE -m 1 "${report[$bug]}" "$dir"/{kernel,console,tests,said}.log |
			head -n 1 || true)
		[ "$status" != 0 ] && [ -n "$found" ] && ok=yes
	fi
	count=$((count + 1))
	if [ -n "$ok" ]; then
		printf 'ok %d - %s\n' "$count" "$bug"
	else
		failed=$((failed + 1))
		printf 'not ok %d - %s # logs: %s\n' "$count" "$bug" "$dir"
		tail -n 20 "$dir/said.log" | sed 's/^/# /'
	fi
	[ -z "$found" ] || printf '# %s\n' "$found"
}

[ $# = 0 ] || bugs=("$@")
for bug in "${bugs[@]}"; do
	[ "$bug" = none ] || [ -n "${file[$bug]:-}" ] ||
		die "no bug $bug; there are: none ${!file[*]}"
done
runs[none]=$(printf '%s\n' "${runs[@]}" | sort -u | tr '\n' ' ')
printf 'TAP version 13\n1..%d\n' "${#bugs[@]}"
for bug in "${bugs[@]}"; do
	prove "$bug"
done
printf '%d passed, %d failed, 0 skipped\n' $((count - failed)) "$failed"
[ "$failed" = 0 ]
