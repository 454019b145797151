#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings one of Debian's own kernels into the cache, to be booted in the
# virtual machine and to build modules for. Nothing is installed, and no root
# is needed.
#
# usage: kernel.sh SERIES|RELEASE
#
# SERIES, such as 6.12, is the newest release of that series that apt offers;
# a RELEASE is taken as it is. What this machine's suite of Debian does not have
# is looked for in sid. Prints the release. Afterwards there is
#
#   kernels/RELEASE/vmlinuz, config	to boot
#   kernels/RELEASE/lib/modules/RELEASE	its modules, with modules.dep
#   kernels/RELEASE/build		KDIR to build a module with
#   kernels/RELEASE/toolchain		for one of sid: what to build it with
#   kernels/SERIES			symbolic link to the newest RELEASE used
set -euo pipefail

# shellcheck source=selftests/vm/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=selftests/vm/sid.sh
. "$(dirname "$0")/sid.sh"

kernels=$CACHE/kernels

# The newest release of series $1 that apt can download. A name that apt knows
# only because another package names it has no candidate.
offered() {
	local series=${1//./\\.} release

	while read -r release; do
		[ -n "$(apt_version "linux-image-$release")" ] || continue
		printf '%s\n' "$release"
		return
	done < <(apt-cache pkgnames "linux-image-$1" 2>/dev/null |
		sed -n "s/^linux-image-\($series\.[0-9+~a-z.-]*-cloud-amd64\)$/\1/p" |
		sort -rV)
}

# The release that is wanted, if apt can download one.
find_release() {
	case $wanted in
	*-*) [ -z "$(apt_version "linux-image-$wanted")" ] ||
		printf '%s\n' "$wanted" ;;
	*) offered "$wanted" ;;
	esac
}

# The packages that package $1 depends on and whose names match $2.
dependencies() {
	apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)\$/\1/p"
}

# The packages that the kernel of release $1 comes in: one, or several.
image_packages() {
	printf '%s\n' "linux-image-$1"
	dependencies "linux-image-$1" "linux-[a-z]*-${1//./\\.}"
}

# The packages that a module build for release $1 needs.
header_packages() {
	printf '%s\n' "linux-headers-$1"
	dependencies "linux-headers-$1" \
		'linux-headers-.*-common\|linux-kbuild-.*'
}

# What chroot.sh is to have for release $1 of sid: the version, the compiler,
# and a package whose libraries the build's programs need.
toolchain() {
	apt_version "linux-image-$1"
	dependencies "linux-headers-$1" 'gcc-[0-9.]*[a-z-]*'
	dependencies "linux-headers-$1" 'linux-kbuild-.*'
}

# Debian's header packages name each other, and themselves, by absolute paths.
make_relocatable() {
	local root=$1 release=$2 makefile

	makefile=$root/usr/src/linux-headers-$release/Makefile
	# shellcheck disable=SC2016 # these are make's variables
	sed -i -e 's|^include /usr/src/|include $(dir $(abspath $(lastword $(MAKEFILE_LIST))))../|' \
		-e 's|^KBUILD_OUTPUT=/usr/src/.*|KBUILD_OUTPUT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))|' \
		"$makefile" || return
	if grep -q '[ =]/usr/src' "$makefile"; then
		die "$makefile still names /usr/src: kernel.sh must learn its form"
	fi
	ln -srfn "$root/usr/src/linux-headers-$release" \
		"$root/lib/modules/$release/build" &&
	rm -f "$root/lib/modules/$release/source" &&
	ln -sfn "usr/src/linux-headers-$release" "$root/build"
}

# A script that Debian's packages leave out, without which C=2 is passed over in
# silence: it says that the checker can be used. If it can not, it will show.
add_checker_valid() {
	local scripts=$1/scripts

	[ -d "$scripts" ] && [ ! -e "$scripts/checker-valid.sh" ] || return 0
	printf '#!/bin/sh\necho 1\n' >"$scripts/checker-valid.sh" &&
		chmod +x "$scripts/checker-valid.sh"
}

# Newer suites have everything below usr/lib/modules.
fill_boot() {
	local root=$1 release=$2 file

	[ ! -e "$root/boot/vmlinuz-$release" ] || return 0
	mkdir -p "$root/boot" || return
	for file in vmlinuz config; do
		ln -sr "$root/lib/modules/$release/$file" \
			"$root/boot/$file-$release" || return
	done
}

# This is called where the shell does not stop at errors by itself.
unpack() {
	local root=$1 release=$2 deb

	for deb in "$root"/debs/*.deb; do
		dpkg -x "$deb" "$root" || return
	done
	rm -r "$root/debs"
	# Newer suites ship modules below usr/lib.
	[ -e "$root/lib/modules" ] || {
		mkdir -p "$root/lib" &&
			ln -s ../usr/lib/modules "$root/lib/modules" || return
	}
	fill_boot "$root" "$release" &&
		ln -s "boot/vmlinuz-$release" "$root/vmlinuz" &&
		ln -s "boot/config-$release" "$root/config" &&
		make_relocatable "$root" "$release" &&
		add_checker_valid "$root/build" &&
		depmod -b "$root" "$release"
}

# Downloads and unpacks release $1; fails, with the reason told, if apt can
# not deliver it.
fetch() {
	local release=$1 root images packages

	mapfile -t images < <(image_packages "$release")
	mapfile -t packages < <(header_packages "$release")
	[ ${#packages[@]} -ge 3 ] || {
		note "apt does not know the header packages of $release"
		return 1
	}
	root=$(make_aside "$kernels/$release")
	mkdir "$root/debs"
	note "downloading kernel $release and its headers"
	apt_download "$root/debs" "${images[@]}" "${packages[@]}" || {
		rm -rf "$root"
		note "apt could not download $release: see above. If it was not
found, the package lists are old: apt-get update"
		return 1
	}
	unpack "$root" "$release" ||
		die "the packages of $release could not be unpacked (see above)"
	[ -z "$in_sid" ] || toolchain "$release" >"$root/toolchain"
	commit_aside "$kernels/$release"
	[ -z "$in_sid" ] || "$(dirname "$0")/chroot.sh" "$release" >/dev/null
}

[ $# = 1 ] || die "usage: kernel.sh SERIES|RELEASE, such as 6.12"
case $1 in
*/* | .* | *[!0-9A-Za-z.+~_-]*) die "'$1' is not a kernel series" ;;
esac
wanted=$1

# Given by its release, and there: a debug kernel of our own, for instance.
if [ -e "$kernels/$wanted/vmlinuz" ] && [ ! -L "$kernels/$wanted" ]; then
	printf '%s\n' "$wanted"
	exit
fi

lock_cache kernels
in_sid=
release=$(find_release)
if [ -z "$release" ] && use_sid; then
	in_sid=yes
	release=$(find_release)
fi

if [ -z "$release" ] || { [ ! -e "$kernels/$release/vmlinuz" ] &&
	! fetch "$release"; }; then
	have=$(readlink "$kernels/$wanted" || true)
	[ -e "$kernels/${have:-none}/vmlinuz" ] ||
		die "no kernel of series $wanted: apt offers none, and the cache
($kernels) has none. Is the series in this Debian's archive, and are apt's
package lists there (apt-get update)?"
	[ -n "$release" ] ||
		note "apt offers no kernel $wanted now; using $have of the cache"
	release=$have
fi

[ "$wanted" = "$release" ] || ln -sfn "$release" "$kernels/$wanted"
printf '%s\n' "$release"
