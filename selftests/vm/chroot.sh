#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings the tools into the cache that build modules for a kernel of sid: the
# compiler that its headers ask for, make, sparse, and the libraries that they
# need, which are newer than this machine's. They are unpacked and never
# installed: no root is needed, and no package's script runs.
#
# usage: chroot.sh RELEASE
#
# RELEASE is what kernel.sh has brought from sid. Prints the directory to
# chroot to, chroot/sid-VERSION-COMPILER in the cache; kernels/RELEASE/chroot is
# a link to it. kbuild.sh goes there and builds.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/vm/common.sh
. "$here/common.sh"
# shellcheck source=selftests/vm/sid.sh
. "$here/sid.sh"

chroots=$CACHE/chroot
# To be raised when what is in one changes.
form=1

# All packages for a system that has $@, as NAME=VERSION. What belongs to the
# kernel lies beside it.
closure() {
	apt-get -qq --simulate install '?essential' "$@" |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\).*/\1=\2/p' |
		grep -v '^linux-'
}

# Directories that sid has merged into /usr; a package that is unpacked first
# must find them so.
make_skeleton() {
	local root=$1 dir

	mkdir -p "$root"/{dev,proc,tmp,usr/{bin,sbin,lib,lib64}}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$root/$dir"
	done
}

# This is called where the shell does not stop at errors by itself.
unpack() {
	local root=$1 deb

	for deb in "$root"/debs/*.deb; do
		dpkg -x "$deb" "$root" || return
	done
	rm -r "$root/debs"
	# Which of several awks is not settled by a package but by its script.
	[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk" || return
	# Nobody is to find an outdated su in the cache.
	find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +
}

count_files() {
	find "$1/usr" -type f | wc -l
}

# Whether chroot $1 is there, with all that it was made of.
complete() {
	[ -e "$chroots/$1/files" ] &&
		[ "$(count_files "$chroots/$1")" = "$(cat "$chroots/$1/files")" ]
}

# Makes chroot $1 out of packages $2...
make_chroot() {
	local name=$1 root packages

	shift
	mapfile -t packages < <(closure "$@")
	[ ${#packages[@]} -gt 0 ] ||
		die "sid's packages do not fit together at the moment (see
above): try again tomorrow"
	root=$(make_aside "$chroots/$name")
	make_skeleton "$root"
	mkdir "$root/debs"
	note "downloading ${#packages[@]} packages of sid, the compiler's (100 MB)"
	# A line for each would bury everything else.
	apt_download "$root/debs" "${packages[@]}" 2>&1 | sed '/^Get:/d' >&2 ||
		die "apt could not download them (see above)"
	unpack "$root" || die "the packages could not be unpacked (see above)"
	count_files "$root" >"$root/files"
	commit_aside "$chroots/$name"
}

[ $# = 1 ] || die "usage: chroot.sh RELEASE"
kernel=$CACHE/kernels/$1
[ -e "$kernel/toolchain" ] ||
	die "$1 is no kernel of sid that is in the cache: kernel.sh brings one"
mapfile -t toolchain <"$kernel/toolchain"
# First the version of the package of the kernel, then the compiler.
name=sid-${toolchain[0]}-${toolchain[1]%-for-host}-$form

mkdir -p "$chroots"
if ! complete "$name"; then
	lock_cache chroot
	if ! complete "$name"; then
		use_sid || die "$name can not be made without sid's packages"
		make_chroot "$name" make sparse "${toolchain[@]:1}"
	fi
fi
ln -sfn "../../chroot/$name" "$kernel/chroot"
printf '%s\n' "$chroots/$name"
