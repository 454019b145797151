#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a module outside of the kernel's tree, as make does, or in a chroot for
# a kernel that wants tools newer than this machine's.
#
# usage: kbuild.sh KDIR OUTDIR [ARGUMENT...]
#        kbuild.sh --check KDIR
#
# The second form only tells whether the first one can be had for KDIR here.
#
# KDIR is the kernel's build directory, OUTDIR that of the module (M=), with its
# Kbuild; the ARGUMENTs are make's: a target, W=1. Files that OUTDIR links to
# have to be in this project.
#
# The chroot gets what it needs by mounts in a namespace of its own: they are
# seen by nobody else, and are gone with the last process, however it ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=selftests/vm/common.sh
. "$here/common.sh"

# Whether somebody may mount in namespaces of his own, of which the options are
# given. Some systems grant the namespaces and refuse what they are good for.
may_mount() {
	refusal=$(unshare "$@" mount -t tmpfs tmpfs /tmp 2>&1)
}

# Without root they come with a user namespace, in which one is root.
find_namespaces() {
	local first

	namespaces=(--mount --pid --fork --kill-child)
	may_mount "${namespaces[@]}" && return
	first=$refusal
	namespaces+=(--user --map-root-user)
	may_mount "${namespaces[@]}" && return
	die "building for $kdir
needs a chroot, and this user may not have one here ($first; $refusal):
run this as root (sudo), or allow user namespaces (sysctl
kernel.unprivileged_userns_clone=1 user.max_user_namespaces=1000); a container
needs CAP_SYS_ADMIN, and a chroot that its root is a mount point"
}

# Runs in the namespaces. Arguments: the chroot, the directories that are to be
# seen in it under their own names, --, and a command with its arguments.
enter() {
	set -euo pipefail
	root=$1
	shift
	# First what could hide one of the directories.
	mount -t tmpfs tmpfs "$root/tmp"
	mount --rbind /dev "$root/dev"
	# A new one is refused where parts of the old one are hidden.
	mount -t proc proc "$root/proc" 2>/dev/null ||
		mount --rbind /proc "$root/proc"
	while [ "$1" != -- ]; do
		mkdir -p "$root$1"
		mount --rbind "$1" "$root$1"
		shift
	done
	shift
	# What make tells its children is to reach them; the rest of this
	# machine's settings means nothing there.
	exec env -i PATH=/usr/bin:/usr/sbin HOME=/ LC_ALL=C.UTF-8 \
		MAKEFLAGS="${MAKEFLAGS:-}" MAKELEVEL="${MAKELEVEL:-0}" \
		chroot "$root" "$@"
}

[ $# -ge 2 ] || die "usage: kbuild.sh KDIR OUTDIR [ARGUMENT...], or --check KDIR"
check=
if [ "$1" = --check ]; then
	check=yes
	shift
	set -- "$1" "$top"
fi
kdir=$1
outdir=$(cd "$2" && pwd) || die "no directory $2"
shift 2
[ -e "$kdir/Makefile" ] || die "$kdir is not a kernel's build directory"
command=("${MAKE:-make}" -C "$kdir" "M=$outdir" "$@")
[ -z "$check" ] || command=(true)

# kernel.sh has put the build directory beside what it takes to build.
kernel=$(cd "$(dirname "$kdir")" && pwd)
[ -e "$kernel/toolchain" ] || exec "${command[@]}"

root=$("$here/chroot.sh" "$(basename "$(realpath "$kernel")")")
find_namespaces
exec unshare "${namespaces[@]}" bash -c "$(declare -f enter); enter \"\$@\"" \
	enter "$root" "$top" "$outdir" "$kernel" -- "${command[@]}"
