#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings the parts of the kernel's source tree into the cache that the tests
# need and that are not ours: the kselftest harness, checkpatch, kernel-doc,
# coccinelle's scripts. They come out of Debian's package of the sources.
#
# usage: source.sh [SERIES]
#
# Prints the directory, whose paths below are those of a kernel tree; it is
# linux-source/VERSION in the cache, with linux-source/current a link to it.
set -euo pipefail

# shellcheck source=selftests/vm/common.sh
. "$(dirname "$0")/common.sh"

sources=$CACHE/linux-source
# To be raised when the list of files changes.
form=1

# Shell patterns below the top of the source tree.
parts=(
	'COPYING' '.clang-format' 'Makefile' 'scripts/Kbuild.include'
	'scripts/checkpatch.pl' 'scripts/spelling.txt'
	'scripts/const_structs.checkpatch' 'scripts/kernel-doc'
	'scripts/coccicheck' 'scripts/coccinelle' 'scripts/subarch.include'
	'scripts/head-object-list.txt' 'scripts/headers_install.sh'
	'Documentation/dev-tools/checkpatch.rst'
	'tools/scripts' 'tools/testing/selftests/*.h'
	'tools/testing/selftests/*.sh' 'tools/testing/selftests/lib.mk'
	'tools/testing/selftests/Makefile' 'tools/testing/selftests/kselftest'
)

# This is called where the shell does not stop at errors by itself.
unpack() {
	local root=$1 archive

	dpkg -x "$root"/*.deb "$root/package" || return
	archive=$(find "$root/package/usr/src" -name 'linux-source-*.tar.*')
	[ -f "$archive" ] || die "no source archive in the package"
	note "unpacking some of $(basename "$archive")"
	tar -C "$root" -xf "$archive" --strip-components=1 --wildcards \
		--no-wildcards-match-slash "${parts[@]/#/linux-source-*/}" ||
		die "the sources are not laid out as expected (see above)"
	rm -r "$root/package" "$root"/*.deb
}

fetch() {
	local package=$1 version=$2 root

	root=$(make_aside "$sources/$version-$form")
	note "downloading $package"
	apt_download "$root" "$package=$version" || {
		rm -rf "$root"
		return 1
	}
	unpack "$root" || die "$package could not be unpacked (see above)"
	commit_aside "$sources/$version-$form"
}

series=${1:-6.12}
lock_cache linux-source
mkdir -p "$sources"
version=$(apt_version "linux-source-$series")
directory=$version-$form
if [ -z "$version" ] || { [ ! -d "$sources/$directory" ] &&
	! fetch "linux-source-$series" "$version"; }; then
	directory=$(readlink "$sources/current" || true)
	[ -d "$sources/${directory:-none}" ] ||
		die "apt cannot deliver linux-source-$series, and the cache has
no such sources: are apt's package lists there (apt-get update)?"
	note "apt cannot deliver linux-source-$series; using $directory"
fi
ln -sfn "$directory" "$sources/current"
printf '%s\n' "$sources/$directory"
